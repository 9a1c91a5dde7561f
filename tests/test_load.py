"""Configurations: what people write comes out as meant, or as an error that says what to write instead."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jedi_sdk.check import check
from jedi_sdk.config import Config, ConfigError, SamplerConfig
from jedi_sdk.load import build_config, config_from_dict, config_to_dict, dump_yaml, load_yaml
from jedi_sdk.presets import OBJECTIVES, PRESETS
from jedi_sdk.settings import flatten, nest

KNOBS = flatten(asdict(Config()))
NAMES = ("preset", "objective_name")

positive = st.floats(min_value=1e-9, max_value=1e9)
fraction = st.floats(min_value=0, max_value=1)
count = st.integers(min_value=1, max_value=31)  # below 32, every number of channels is one group
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "game": st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1),
    "seed": st.integers(min_value=0, max_value=2**63 - 1),
    "context": count,
    "actor_critic.reward": st.sampled_from(["sample", "mean"]),
    "env.epsilon": fraction,
    "encoder.channels": st.lists(count, min_size=3, max_size=6),
    "encoder.patch": st.sampled_from([1, 2, 4, 8]),
    "heads.attention": st.booleans(),
    "heads.depths": st.lists(count, min_size=1, max_size=4),
    "objective.p_mean": st.floats(allow_nan=False, allow_infinity=False),
    "objective.switch": st.sampled_from(["random", "always", "never", "alternate"]),
    "optim.lr": positive,
    "optim.weight_decay": st.just(0) | positive,
    "replay.recency": st.lists(positive, min_size=1, max_size=8),
    "sampler.s_tmax": st.just(float("inf")) | st.floats(min_value=1, max_value=1e6),
    "schedule.epoch.denoiser": st.integers(min_value=0, max_value=10**6),
}


def message(*overrides: str, **names: Any) -> str:
    with pytest.raises(ConfigError) as error:
        build_config("breakout", overrides=overrides, **names)
    return str(error.value)


def build(*overrides: str, **names: Any) -> Config:
    return build_config("breakout", overrides=overrides, **names)


@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if name != "pixel"])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_goes_with_every_objective_of_latents(preset: str, objective: str) -> None:
    config, taken = build(preset=preset, objective=objective), PRESETS[preset]
    expected = taken.objective if objective == "default" else OBJECTIVES[objective]
    assert config == replace(taken, game="breakout", objective=expected, objective_name=objective)


def test_what_the_default_objective_is_in_each_preset() -> None:
    found = {preset: build(preset=preset).objective for preset in PRESETS}
    dreamed = replace(OBJECTIVES["default"], heads_latents="dreamed")
    assert found["atari100k"] == OBJECTIVES["default"]
    assert found["tiny"] == dreamed
    assert found["catch"] == replace(dreamed, encoder_lr_scale=0.03, p_mean=1.0)
    assert found["small"] == replace(dreamed, encoder_lr_scale=0.015, encoder_lr_halving=10_000, p_mean=2.5)
    assert build(preset="small", objective="paper").objective.heads_latents == "encoded"


@pytest.mark.parametrize("preset", PRESETS)
def test_frames_without_an_encoder_bring_their_objective_and_sampler_with_them(preset: str, tmp_path: Path) -> None:
    config = build("space=pixel", preset=preset)
    changes = {"space": "pixel", "objective": OBJECTIVES["pixel"], "objective_name": "pixel"}
    assert config == replace(PRESETS[preset], game="breakout", sampler=SamplerConfig(steps=3), **changes)
    assert build("space=pixel", "sampler.steps=1", preset=preset).sampler.steps == 1
    assert build("space=pixel", preset=preset, objective="pixel") == config
    file = tmp_path / "mine.yaml"
    file.write_text("space: pixel\n")
    assert build(file=file, preset=preset) == config


def test_frames_without_an_encoder_are_the_latents_of_no_other_objective() -> None:
    assert "objective pixel is for frames without an encoder: write space=pixel" in message(objective="pixel")
    assert "and 112 do not split into equal groups" in message("space=pixel", "actor_critic.channels=224")
    assert "against objective.decoder=joint; take the obj" in message("space=pixel", "objective.decoder=joint")
    assert message("space=pixel", objective="paper") == (
        "space=pixel has no encoder and takes frames as they are, against objective.clamp=true "
        "objective.encoder_grad=true objective.heads_grad=true; take the objective pixel, or write "
        "objective.clamp=false objective.encoder_grad=false objective.heads_grad=false"
    )


@settings(deadline=None, max_examples=60)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_settings_survive_yaml_and_dicts(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    config = config_from_dict(nest(values))
    assert flatten(config_to_dict(config)) == flatten(config_to_dict(Config())) | values
    assert config_from_dict(config_to_dict(config)) == config

    file = tmp_path_factory.mktemp("yaml") / "config.yaml"
    file.write_text(dump_yaml(config), encoding="utf-8")
    assert config_from_dict(load_yaml(file)) == config
    assert build_config(config.game, file=file) == config


@pytest.mark.parametrize("key", sorted(KNOBS.keys() - set(NAMES) - {"game"}))
def test_every_knob_can_be_set(key: str) -> None:
    value = other(key, KNOBS[key])
    also = {"sampler.method": ["objective.offset_noise=0"], "encoder.start": ["encoder.patch=8"]}
    config = build(f"{key}={json.dumps(value)}", *also.get(key, []))
    assert flatten(asdict(config))[key] == (tuple(value) if isinstance(value, list) else value)


def other(key: str, value: Any) -> Any:
    """A value of the same type that differs; for a choice, another of its choices."""
    match value:
        case bool():
            return not value
        case int():
            return value * 2 or 1
        case float():
            return value / 2
        case tuple():
            return [*value[1:], value[-1] * 2]
    return next(choice for choice in choices(key) if choice != value)


def choices(key: str) -> tuple[Any, ...]:
    """What a dotted key's Literal allows."""
    kind: Any = Config
    for name in key.split("."):
        kind = get_type_hints(kind)[name]
    return get_args(kind)


@pytest.mark.parametrize(("game", "device", "preset"), [
    ("catch", "cpu", "catch"),
    ("catch", "cuda", "catch"),
    ("pong", "cpu", "small"),
    ("pong", "cuda:1", "atari100k"),
])  # fmt: skip
def test_a_preset_is_chosen_by_game_and_machine(game: str, device: str, preset: str) -> None:
    assert build_config(game, device=device).preset == preset


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("preset: tiny\nobjective_name: paper\nseed: 5\nobjective: {predict: change}\noptim: {lr: 3e-3}\n")
    config = build_config("pong", file=file)
    assert (config.preset, config.objective_name, config.game) == ("tiny", "paper", "pong")
    assert config.denoiser == PRESETS["tiny"].denoiser
    assert config.objective == replace(OBJECTIVES["paper"], predict="change")
    assert (config.seed, config.optim.lr) == (5, 3e-3)

    config = build_config("pong", file=file, seed=6, overrides=["optim.lr=1", "seed=7", "optim.lr=2e-3"])
    assert (config.seed, config.optim.lr) == (7, 2e-3)


def test_a_second_preset_beside_the_files_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("preset: tiny\n")
    assert build(file=file, preset="tiny").preset == "tiny"
    assert message(file=file, preset="small").startswith(f"{file} says preset: tiny, and small was asked for")


@pytest.mark.parametrize(("text", "value"), [
    ("1e-4", 1e-4), ("2E3", 2000.0), ("1", 1.0), ("0.5", 0.5), (" 3e-4 ", 3e-4),
])  # fmt: skip
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    lr = build(f"optim.lr={text}").optim.lr
    assert isinstance(lr, float)
    assert lr == value


@pytest.mark.parametrize(("override", "expected"), [
    ("denoiser.chanels=96", "there is no setting denoiser.chanels; did you mean denoiser.channels?"),
    ("channels=96", "did you mean encoder.channels, denoiser.channels, heads.channels, pixel.channels or actor"),
    ("optimizer.lr=1", "did you mean optim.lr?"),
    ("lambda=1", "did you mean actor_critic.lambda_?"),
    ("seed.x=1", "did you mean seed?"),
    ("xyzzy=1", "there is no setting xyzzy; the groups are env, replay, encoder"),
    ("denoiser=96", "denoiser is a group; write one of its settings, for example denoiser.channels=64"),
    ("env.num_envs=1.5", "env.num_envs must be a whole number, not 1.5; write for example env.num_envs=4"),
    ("seed=true", "seed must be a whole number, not true"),
    ("seed=null", "seed must be a whole number, not null"),
    ("optim.lr=fast", 'optim.lr must be a number, not "fast"; write for example optim.lr=0.0006'),
    ("optim.lr=2020-01-01", 'optim.lr must be a number, not "2020-01-01"'),
    ("env.life_loss_ends=1", "env.life_loss_ends must be true or false, not 1"),
    ("encoder.channels=32", "encoder.channels must be a list, not 32; write for example encoder.channels=["),
    ("encoder.channels=[1, a]", 'encoder.channels must be a list, each item a whole number, not [1, "a"]'),
    ("objective.sigma_clip=[1]", "objective.sigma_clip must be a list of 2, not [1]"),
    ("objective.sigma_clip=[1, 2, 3]", "objective.sigma_clip must be a list of 2, not [1, 2, 3]"),
    ("objective.switch=often", "must be one of 'random', 'always', 'never' or 'alternate', not \"often\""),
    ("encoder.channels=[a", "encoder.channels: '[a' is not YAML; write a list as encoder.channels=[1, 2]"),
    ("game=pong", "the game is no setting: name it in its place, as in jedi train pong"),
    ("seed", "'seed' is not key=value; write for example denoiser.channels=96"),
    ("=3", "'=3' is not key=value"),
    ("preset=smal", "there is no preset 'smal'; did you mean small? the presets are atari100k, "),
    ("preset=[1]", "there is no preset [1]; the presets are"),
    ("objective_name=papre", "did you mean paper? the objectives are default, paper"),
])  # fmt: skip
def test_an_error_says_what_to_write_instead(override: str, expected: str) -> None:
    assert expected in message(override)


@pytest.mark.parametrize(("override", "expected"), [
    ("schedule.env_steps=1", "a first epoch of 1 real steps in 4 envs shows no transition; write for example"),
    ("context=0", "context=0 must be above 0; write for example context=4"),
    ("objective.predicted_steps=0", "objective.predicted_steps=0 must be above 0"),
    ("actor_critic.horizon=0", "actor_critic.horizon=0 must be above 0"),
    ("optim.batch_size=0", "optim.batch_size=0 must be above 0"),
    ("optim.lr=.nan", "optim.lr=NaN must be above 0"),
    ("optim.warmup=-1", "optim.warmup=-1 must be 0 or above"),
    ("objective.p_mean=.inf", "objective.p_mean=Infinity must be a finite number"),
    ("sampler.s_tmax=.nan", "sampler.s_tmax=NaN must be above 0"),
    ("actor_critic.gamma=1.5", "must be between 0 and 1; write for example actor_critic.gamma=0.985"),
    ("encoder.channels=[32, 0, 16]", "encoder.channels=[32, 0, 16] must be above 0"),
    ("sampler.method=heun", "train with objective.offset_noise=0, or keep sampler.method=euler"),
    ("sampler.sigma_min=9", "sampler.sigma_min must be below sampler.sigma_max"),
    ("sampler.s_tmin=99", "sampler.s_tmin must not exceed sampler.s_tmax"),
    ("objective.sigma_clip=[3, 2]", "objective.sigma_clip must rise"),
    ("replay.recency=[0, 0]", "replay.recency needs a weight above 0"),
    ("replay.recency=[-1, 2]", "replay.recency=[-1.0, 2.0] must be 0 or above"),
    ("replay.capacity=32", "replay.capacity=32 must hold a segment, 10 frames, of each of the 4 envs"),
    ("replay.capacity=5", "replay.capacity=5 must hold a segment, 10 frames, of each of the 4 envs"),
    ("heads.depths=[]", "heads.depths must have a stage"),
    ("heads.dropout=1", "write for example heads.dropout=0.5"),
    ("actor_critic.clip_range=1.5", "actor_critic.clip_range=1.5 must be between 0 and 1"),
    ("actor_critic.gradient_steps=0", "must be above 0; write for example actor_critic.gradient_steps=1"),
    ("actor_critic.gradient_steps=1001", "actor_critic.gradient_steps=1001 must be above 0 and at most 1000"),
    ("env.explore_steps=-1", "env.explore_steps=-1 must be 0 or above"),
    ("heads.dropout=1.5", "heads.dropout=1.5 must be between 0 and 1"),
    ("denoiser.cond_channels=3", "shared by the 8 actions of the context"),
    ("encoder={patch: 1, channels: [32, 16]}", "write for example encoder.channels=[32, 32, 16]"),
    ("encoder={patch: 8, channels: []}", "encoder.channels needs 1 stage"),
    ("encoder={patch: 4, start: cosines}", "write encoder.patch=8 or encoder.start=random"),
    ("encoder={patch: 8, start: cosines, channels: [224, 16]}", "encoder.start=cosines has 192 filters, not 224"),
    ("encoder={patch: 8, start: cosines, channels: [32, 8, 16]}", "hands 8 of its filters on, and the last of"),
    ("pixel.depths=[]", "pixel.depths has 0 levels, and a frame's 64 pixels allow 1 to 7"),
    ("pixel.depths=[1, 1, 1, 1, 1, 1, 1, 1]", "pixel.depths has 8 levels"),
    ("pixel.heads_channels=100", "pixel.heads_channels: 100 channels do not split into equal groups of about 32"),
    ("denoiser.channels=100", "100 channels do not split into equal groups of about 32; write a"),
])  # fmt: skip
def test_values_that_cannot_work_are_refused(override: str, expected: str) -> None:
    assert expected in message(override)


def test_a_game_is_text() -> None:
    with pytest.raises(ConfigError, match="game must be text, not 3"):
        config_from_dict({"game": 3})


def test_everything_wrong_in_a_file_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("denoiser: {chanels: 3, depth: deep}\nsede: 1\nenv: {num_envs: two}\n")
    lines = message("optim.lr=fast", file=file).splitlines()
    assert len(lines) == 5
    for word in ("denoiser.channels?", "seed?", "denoiser.depth must", "env.num_envs must", "optim.lr must"):
        assert any(word in line for line in lines)


@pytest.mark.parametrize(("text", "expected"), [
    ("- 1", "holds no settings; write lines such as `seed: 1`"),
    ("a: [", "is not YAML"),
    ("optim: {lr: 1e-4}\noptim: {warmup: 5}", "optim: is there twice"),
    ("optim: {lr: 1e-4, lr: 1e-3}", "lr: is there twice"),
    ("\x00", "is not YAML"),
])  # fmt: skip
def test_a_file_that_holds_no_settings(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert expected in message(file=file)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot read the configuration" in message(file=tmp_path / "nowhere.yaml")
    assert "cannot read the configuration" in message(file=tmp_path)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("# nothing yet\n")
    assert build(file=file) == build()


def test_a_config_made_in_python_can_be_checked() -> None:
    check(Config())
    with pytest.raises(ConfigError, match="sigma_min must be below"):
        check(Config(sampler=SamplerConfig(sigma_min=9.0)))
