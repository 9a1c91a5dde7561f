"""Old checkpoints load as what they were, and a file of today's schema says everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jedi_sdk import JEDI, CheckpointError, checkpoint
from jedi_sdk.checkpoint.schema import MIGRATIONS
from jedi_sdk.config import Config
from jedi_sdk.envs import action_meanings, make_envs
from jedi_sdk.load import config_to_dict
from jedi_sdk.presets import TINY
from jedi_sdk.settings import flatten

KNOWN = np.load(Path(__file__).parent.parent / "data" / "schema1" / "known.npz")  # what the agent did when it was made

# the settings a schema added
ADDED = {
    3: ["env.explorers"],
    4: ["optim.weights_ema"],
    5: ["run.compile"],
    6: ["actor_critic.reward"],
    7: ["encoder.start"],
    8: ["heads.dropout", "heads.reads"],
    9: [
        "actor_critic.clip_range",
        "actor_critic.gradient_steps",
        "actor_critic.normalize_advantage",
        "env.explore_steps",
    ],
    10: ["optim.policy_ema"],
}


def older(config: dict[str, Any], schema: int) -> dict[str, Any]:
    """``config`` without the settings that came after ``schema``."""
    for name in [name for added, names in ADDED.items() if added > schema for name in names]:
        group, key = name.split(".")
        del config[group][key]
    return config


def play(agent: JEDI) -> tuple[np.ndarray, np.ndarray]:
    """Its actions on the known frames, and its memory behind them."""
    state, acts = None, []
    for frames in KNOWN["frames"]:
        act, state = agent.predict(frames, state)
        acts.append(act)
    assert state is not None
    return np.stack(acts), state[0].numpy()


def test_an_agent_of_schema_1_sees_and_acts_as_when_it_was_made(schema_1: Path) -> None:
    agent = JEDI.from_pretrained(schema_1, device="cpu")
    acts, memory = play(agent)
    np.testing.assert_array_equal(acts, KNOWN["act"])
    np.testing.assert_allclose(memory, KNOWN["memory"], atol=1e-5)
    z = agent.world_model.encode(torch.from_numpy(KNOWN["frames"][-1])).detach()
    np.testing.assert_allclose(z.numpy(), KNOWN["z"], atol=1e-5)
    assert agent.probe is not None
    np.testing.assert_allclose(agent.probe(z[:1]).detach().numpy(), KNOWN["painted"], atol=1e-3)  # kept as float16
    assert agent.dream_env(3).reset()[0].shape == (3, *agent.world_model.latent_shape)


def test_it_is_written_again_in_todays_schema_and_stays_the_same(schema_1: Path, tmp_path: Path) -> None:
    old = JEDI.from_pretrained(schema_1, device="cpu")
    new = JEDI.from_pretrained(old.save_pretrained(tmp_path / "new"), device="cpu")
    assert new.config == old.config
    for one, other in zip(play(old), play(new), strict=True):
        np.testing.assert_array_equal(one, other)
    written = json.loads((tmp_path / "new" / "config.json").read_text())
    assert written["schema_version"] == checkpoint.SCHEMA
    assert flatten(written["config"]).keys() == flatten(config_to_dict(Config())).keys()


def test_what_is_absent_means_what_it_meant_then() -> None:
    """``run.probe`` came late to schema 1, ``space`` after it: the defaults of that time hold, whatever they become."""
    config = older(config_to_dict(TINY), 1)
    del config["space"], config["pixel"], config["run"]["probe"]
    old = {"format": 1, "config": config, "num_actions": 3, "device": "cpu", "dtype": "float32", "custom": {}}
    card = checkpoint.Card.from_json(old)
    assert (card.config.space, card.config.run.probe) == ("latent", True)
    assert (card.library_version, card.action_meanings, card.parameters) == ("0.1.0", None, {})


def test_a_run_of_schema_2_began_with_nobody_elses_weights() -> None:
    new = checkpoint.Card(TINY, 3, "cpu", "float32").to_json()
    old = {
        name: value
        for name, value in new.items()
        if name not in ("begun_with", "env_steps_before", "updates_before", "begun_by")
    }
    older(old["config"], 2)
    card = checkpoint.Card.from_json({**old, "schema_version": 2})
    assert (card.begun_with, card.env_steps_before, card.updates_before) == (None, 0, 0)
    assert card.config == TINY


@pytest.mark.parametrize(
    ("schema", "meant"),
    [
        (3, replace(TINY, optim=replace(TINY.optim, weights_ema=0.0))),
        (4, replace(TINY, run=replace(TINY.run, compile=False))),
        (5, replace(TINY, actor_critic=replace(TINY.actor_critic, reward="sample"))),
        (6, replace(TINY, encoder=replace(TINY.encoder, start="random"))),
        (7, replace(TINY, heads=replace(TINY.heads, reads="pair", dropout=0.0))),
        (
            8,
            replace(
                TINY,
                env=replace(TINY.env, explore_steps=0),
                actor_critic=replace(TINY.actor_critic, gradient_steps=1, clip_range=0.2, normalize_advantage=False),
            ),
        ),
        (9, replace(TINY, optim=replace(TINY.optim, policy_ema=0.0))),
    ],
)
def test_what_a_schema_does_not_say_means_what_was_done_then(schema: int, meant: Config) -> None:
    """Dreams by the weights as they were trained, nothing compiled, rewards drawn, encoders from random filters, heads
    that read both latents and are told everything, explorers to the end, one gradient step on a dream, play by the
    newest weights.
    """
    old = checkpoint.Card(meant, 3, "cpu", "float32").to_json()
    older(old["config"], schema)
    assert checkpoint.Card.from_json({**old, "schema_version": schema}).config == meant


@pytest.mark.parametrize("schema", [3, 4, 5, 6, 7, 8, 9])
def test_a_newer_file_is_not_taken_for_an_older_one(schema: int) -> None:
    newer = checkpoint.Card(TINY, 3, "cpu", "float32").to_json()
    older(newer["config"], schema + 1)
    with pytest.raises(
        CheckpointError, match=rf"it is not what schema {schema} has .KeyError: .{ADDED[schema + 1][0]}."
    ):
        checkpoint.Card.from_json({**newer, "schema_version": schema})


def test_a_file_of_schema_3_is_not_taken_for_one_of_schema_2() -> None:
    new = checkpoint.Card(TINY, 3, "cpu", "float32").to_json()
    with pytest.raises(CheckpointError, match=r"it is not what schema 2 has .KeyError: .begun_by."):
        checkpoint.Card.from_json({**new, "schema_version": 2})


def test_every_older_schema_has_a_way_to_the_next() -> None:
    assert sorted(MIGRATIONS) == list(range(1, checkpoint.SCHEMA))


def test_what_it_says_beside_the_config(folder: Path, agent: JEDI) -> None:
    values = json.loads((folder / "config.json").read_text())
    assert (values["game"], values["preset"], values["objective"]) == ("catch", "tiny", "default")
    total = sum(p.numel() for p in [*agent.world_model.parameters(), *agent.actor_critic.parameters()])
    assert sum(values["parameters"].values()) == total
    assert values["num_actions"] == 3


def test_action_meanings_are_the_games() -> None:
    assert JEDI("catch", preset="tiny")._card.action_meanings == action_meanings(make_envs("catch", 1))


def test_action_meanings_travel(tmp_path: Path, agent: JEDI) -> None:
    card = checkpoint.Card(agent.config, 3, "cpu", "float32", action_meanings=("stay", "left", "right ←"))
    checkpoint.save(tmp_path / "one", card, agent._networks)
    assert checkpoint.read_card(tmp_path / "one") == card
    loaded = JEDI.from_pretrained(tmp_path / "one")
    assert loaded.dream_env(1).get_action_meanings() == ["stay", "left", "right ←"]
    again = loaded.save_pretrained(tmp_path / "again")
    assert checkpoint.read_card(again).action_meanings == card.action_meanings


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": checkpoint.SCHEMA + 1}, "newer jedi-sdk.*upgrade"),
        ({"schema_version": "two"}, "its schema_version is 'two'; it must be a number from 2"),
        ({"schema_version": 0}, "must be a number from 2"),
        ({"schema_version": True}, "must be a number from 2"),
        ({"schema_version": ...}, "its schema_version is None"),
        ({"schema_version": 1}, "its schema_version is 1; it must be a number from 2"),
        ({"schema_version": ..., "format": 1}, "it is not what schema 1 has .KeyError: 'action_meanings'"),
        ({"colour": "red"}, "it says 'colour', which schema 10 does not have"),
        ({"num_actions": ...}, "it does not say num_actions"),
        ({"config__denoiser__wings": 2}, r"it says config\.denoiser\.'wings'"),
        ({"config__space": ...}, r"it does not say config\.space"),
        ({"config__denoiser": 3}, r"its config\.denoiser is 3, and must be a group"),
        ({"config__seed": {}}, r"its config\.seed is a group, and must be a value"),
        ({"config__seed": 1.5}, "seed must be a whole number"),
        ({"config__denoiser__channels": 10**6}, r"denoiser\.channels=1000000 must be above 0 and at most 4096"),
        ({"config__denoiser__depth": 10**9}, r"denoiser\.depth=1000000000 must be above 0 and at most 64"),
        ({"config__encoder__channels": [8] * 99}, r"encoder\.channels has 99 items"),
        ({"config__run__threads": 10**9}, r"run\.threads"),
        ({"config__seed": 10**30}, "seed="),
        ({"num_actions": 10**9}, "its 'num_actions' is 1000000000: expected `int` <= 4096"),
        ({"num_actions": "3"}, "its 'num_actions' is '3': expected `int`, got `str`"),
        ({"num_actions": 3.0}, "its 'num_actions' is 3.0"),
        ({"dtype": "float8"}, "its 'dtype' is 'float8'"),
        ({"dtype": "float32\n"}, "its 'dtype' is 'float32.n'"),
        ({"device": "cuda:0; rm"}, "its 'device'"),
        ({"game": "pong"}, "its game is 'pong', but not so the game in its config"),
        ({"game": "a" * 500, "config__game": "a" * 500}, "its 'game' is .*expected `str` of length <= 100"),
        ({"game": "\x1b[2J", "config__game": "\x1b[2J"}, "its 'game' is '.x1b.*that a terminal would act on"),
        ({"library_version": "1\u202e"}, "its 'library_version' is '1.u202e'.*that a terminal would act on"),
        ({"begun_by": ["--init", "\x07"]}, "its 'begun_by' is .*that a terminal would act on"),
        ({"custom": {"encoder": "\ue000"}}, r"its 'custom\.encoder' is .*that a terminal would act on"),
        ({"custom": {"optimizer": "Evil"}}, "its 'custom.*optimizer"),
        ({"custom": {"encoder": ["os", "system"]}}, r"its 'custom\.encoder' is"),
        ({"custom": {"encoder": "os.system"}}, r"pass it again, from_pretrained\(path, encoder=os\.system"),
        ({"action_meanings": "left"}, "its 'action_meanings' is 'left'"),
        ({"action_meanings": [1, 2]}, r"its 'action_meanings\.0' is 1"),
        ({"action_meanings": ["left", "right"]}, "it has 2 action_meanings for 3 actions"),
        ({"parameters": {"encoder": 5}}, "counts parameters {'encoder': 5}; there are"),
    ],
)
def test_what_is_not_of_the_schema_is_refused(
    folder: Path, edit: Callable[..., None], changes: dict[str, object], reason: str
) -> None:
    edit(**changes)
    with pytest.raises(CheckpointError, match=reason) as refusal:
        JEDI.from_pretrained(folder, device="cpu")
    assert "config.json" in str(refusal.value) or "made with a part of its own" in str(refusal.value)
