"""The façade: build, act, save, load, swap a part; and what it says to bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete
from gymnasium.wrappers import TransformAction
from torch import nn

from jedi_sdk import JEDI, CheckpointError, ConfigError, RunError, UnknownGameError, UnsupportedEnvError, checkpoint
from jedi_sdk.envs import make_envs
from jedi_sdk.envs.catch import CatchEnv
from jedi_sdk.precision import DTYPES, DeviceError, choose_precision
from jedi_sdk.presets import TINY
from jedi_sdk.run_folder import RunFolderError


class Patches(nn.Module):
    """An encoder of one's own: one linear map a patch of 8x8 pixels, 5 channels."""

    latent_shape = (5, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 8, stride=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    """A tiny agent that has trained a little, so that its weights are not the initial ones."""
    agent = JEDI("catch", preset="tiny", seed=3)
    return agent.learn(run_dir=tmp_path_factory.mktemp("runs") / "tiny", progress=False)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return make_envs("catch", 6).reset(seed=0)[0]


def actions(agent: JEDI, frames: np.ndarray) -> tuple[np.ndarray, ...]:
    """Three steps with memory: actions and the memory itself."""
    state, result = None, []
    for _ in range(3):
        act, state = agent.predict(frames, state)
        assert state is not None
        result += [act, state[0].numpy(), state[1].numpy()]
    return tuple(result)


def test_save_load_same_actions_bit_for_bit(agent: JEDI, frames: np.ndarray, tmp_path: Path) -> None:
    agent.save_pretrained(tmp_path / "agent")
    loaded = JEDI.from_pretrained(tmp_path / "agent")
    for one, other in zip(actions(agent, frames), actions(loaded, frames), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.config == agent.config


def test_a_run_folder_loads_its_latest_checkpoint(agent: JEDI, frames: np.ndarray) -> None:
    assert agent.run_dir is not None
    loaded = JEDI.from_pretrained(agent.run_dir)
    for one, other in zip(actions(agent, frames), actions(loaded, frames), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_agent_holds_no_training_state(agent: JEDI, tmp_path: Path) -> None:
    folder = agent.save_pretrained(tmp_path / "agent")
    agents_own = ["config.json", "manifest.json", "model.safetensors", "probe.safetensors", "starts.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == agents_own


def test_predict_one_frame_or_many(agent: JEDI, frames: np.ndarray) -> None:
    many, _ = agent.predict(frames)
    one, state = agent.predict(frames[2])
    assert many.shape == (6,)
    assert one.shape == ()
    assert one == many[2]
    again, _ = agent.predict(frames[2], state, episode_start=np.array([True]))
    assert again == one  # the memory was emptied
    flipped = frames[:, :, ::-1]
    assert np.array_equal(agent.predict(flipped)[0], agent.predict(flipped.copy())[0])


def test_episode_start_empties_only_its_row(agent: JEDI, frames: np.ndarray) -> None:
    _, fresh = agent.predict(frames)
    _, memory = agent.predict(frames, fresh, episode_start=np.array([True] + [False] * 5))
    assert fresh is not None
    assert memory is not None
    assert torch.equal(memory[0][0], fresh[0][0])
    assert not torch.equal(memory[0][1], fresh[0][1])


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_episode_start_may_be_given_in_numbers(agent: JEDI, frames: np.ndarray, dtype: type) -> None:
    _, state = agent.predict(frames)
    starts = np.array([True, False, True, False, False, True])
    _, expected = agent.predict(frames, state, episode_start=starts)
    _, memory = agent.predict(frames, state, episode_start=starts.astype(dtype))
    assert memory is not None
    assert expected is not None
    assert all(torch.equal(one, other) for one, other in zip(memory, expected, strict=True))


@pytest.mark.parametrize("obs", [np.zeros((64, 64, 3)), np.zeros((84, 84, 3), np.uint8), np.zeros(4, np.uint8)])
def test_predict_names_the_frames_it_takes(agent: JEDI, obs: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 frames of shape \(64, 64, 3\)"):
        agent.predict(obs)


def test_no_frames_are_none_to_act_on(agent: JEDI, frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"predict takes uint8 frames of shape .* not uint8 of \(0, 64, 64, 3\)"):
        agent.predict(frames[:0])


def test_an_env_with_other_actions_is_refused_wherever_it_would_play(agent: JEDI, tmp_path: Path) -> None:
    folder = agent.save_pretrained(tmp_path / "agent")
    other = JEDI.from_pretrained(folder, env=lambda: TransformAction(CatchEnv(), lambda act: act, Discrete(2)))
    plays = [other.evaluate, other.fidelity, lambda: other.real_env(1), lambda: other.learn(run_dir=tmp_path / "run")]
    for play in plays:
        with pytest.raises(UnsupportedEnvError, match=r"takes Discrete\(2\), but this agent .* Discrete\(3\)"):
            play()


@pytest.mark.parametrize(("n", "memories", "starts"), [(1, 6, 1), (6, 1, 6), (6, 6, 5), (6, None, 1)])
def test_predict_takes_as_many_memories_as_frames(
    agent: JEDI, frames: np.ndarray, n: int, memories: int | None, starts: int
) -> None:
    state = None if memories is None else agent.predict(frames[:memories])[1]
    with pytest.raises(ValueError, match=rf"{n} frames, {memories or 'none'} memories in state and {starts} in"):
        agent.predict(frames[:n], state, episode_start=np.zeros(starts, bool))


@pytest.mark.parametrize("number", [0, -1])
def test_nothing_is_played_filmed_or_kept_no_times(agent: JEDI, tmp_path: Path, number: int) -> None:
    with pytest.raises(ValueError, match=rf"episodes={number}: play at least 1"):
        agent.evaluate(number)
    for given in ({"dreams": number}, {"horizon": number}, {"dreams": 65}):
        with pytest.raises(ValueError, match=r"dreams=.*, horizon=.*: film 1 to 64 dreams of at least 1 step"):
            agent.film_dreams(tmp_path / "film.mp4", **given)
    with pytest.raises(ValueError, match=rf"starts={number}: a dream needs a beginning"):
        agent.save_pretrained(tmp_path / "agent", starts=number)
    assert not any(tmp_path.iterdir())


def test_home_is_the_same_place_for_writing_and_reading(
    agent: JEDI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert agent.save_pretrained("~/agent") == tmp_path / "agent"
    assert JEDI.from_pretrained("~/agent").config == agent.config
    trained = JEDI("catch", preset="tiny").learn(run_dir="~/run", progress=False)
    assert trained.run_dir == tmp_path / "run"
    assert JEDI.resume("~/run").learn(progress=False).run_dir == trained.run_dir


def test_same_seed_same_run(agent: JEDI, tmp_path: Path) -> None:
    twin = JEDI("catch", preset="tiny", seed=3).learn(run_dir=tmp_path / "twin", progress=False)
    for (name, one), other in zip(
        agent._networks.state_dict().items(), twin._networks.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_an_encoder_of_ones_own(frames: np.ndarray, tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", encoder=Patches())
    agent.learn(run_dir=tmp_path / "run", progress=False)
    assert agent.world_model.latent_shape == (5, 8, 8)
    with pytest.raises(CheckpointError, match=r"encoder=Patches"):
        JEDI.from_pretrained(tmp_path / "run")
    loaded = JEDI.from_pretrained(tmp_path / "run", encoder=Patches())
    for one, other in zip(actions(agent, frames), actions(loaded, frames), strict=True):
        np.testing.assert_array_equal(one, other)
    JEDI.resume(tmp_path / "run", encoder=Patches()).learn(env_steps=64, progress=False)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((5, 8, 4), r"makes \(2, 5, 8, 8\) of two frames, where its latent_shape \(5, 8, 4\) says \(2, 5, 8, 4\)"),
        ((5, 1, 1), r"h and w at least 2, not \(5, 1, 1\)"),
        (None, "must be a tuple"),
    ],
)
def test_an_encoder_that_does_not_keep_its_word(shape: object, said: str) -> None:
    encoder = Patches()
    encoder.latent_shape = shape  # type: ignore[assignment]
    with pytest.raises(TypeError, match=said):
        JEDI("catch", preset="tiny", encoder=encoder)


def test_a_function_that_makes_an_env(tmp_path: Path) -> None:
    """Trains, and is told when it is loaded without the function."""
    agent = JEDI(lambda: gymnasium.make("JEDI/Catch-v0"), preset="tiny")
    agent.learn(run_dir=tmp_path / "run", progress=False)
    loaded = JEDI.from_pretrained(tmp_path / "run")
    with pytest.raises(RunError, match="env="):
        loaded.evaluate(episodes=1)
    again = JEDI.from_pretrained(tmp_path / "run", env=lambda: gymnasium.make("JEDI/Catch-v0"))
    assert again.evaluate(episodes=2, progress=False).episodes == 2


@pytest.mark.parametrize("trained", DTYPES)
def test_an_agent_computes_in_what_is_fast_here_and_its_card_says_what_it_was_trained_in(
    agent: JEDI, tmp_path: Path, trained: str
) -> None:
    undecided = replace(agent.config, run=replace(agent.config.run, dtype="auto"))
    card = replace(agent._card, config=undecided, device="cuda", dtype=trained)
    checkpoint.save(tmp_path / "agent", card, agent._networks)
    loaded = JEDI.from_pretrained(tmp_path / "agent", device="cpu")
    assert loaded.precision == choose_precision(torch.device("cpu"), trained=trained)
    asked = JEDI.from_pretrained(tmp_path / "agent", device="cpu", overrides=[f"run.dtype={trained}"])
    assert asked.precision.name == trained

    card = checkpoint.read_card(loaded.save_pretrained(tmp_path / "again"))
    assert (card.device, card.dtype) == ("cuda", trained)
    begun = loaded.learn(run_dir=tmp_path / "run", progress=False)
    assert begun.precision == choose_precision(torch.device("cpu"))
    card = checkpoint.read_card(checkpoint.list_checkpoints(tmp_path / "run")[-1])
    assert (card.device, card.dtype) == ("cpu", begun.precision.name)


def test_evaluate_and_film(agent: JEDI, tmp_path: Path) -> None:
    import av

    result = agent.evaluate(episodes=20, seed=5, video=tmp_path / "play.mp4", progress=False)
    assert result.lengths == [7] * 20
    assert set(result.scores) <= {-1.0, 1.0}
    assert result.mean == pytest.approx(np.mean(result.scores))
    assert result.stderr == pytest.approx(np.std(result.scores, ddof=1) / 20**0.5)
    assert (result.checkpoint, result.dtype) == (str(agent.origin), agent.precision.name)
    with av.open(str(tmp_path / "play.mp4")) as film:
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(pictures) >= 300  # twenty seconds
    assert pictures[0].std() > 0
    assert any((pictures[0] != picture).any() for picture in pictures[:8])


def test_wrong_input() -> None:
    with pytest.raises(UnknownGameError, match="breakout"):
        JEDI("breakot")
    with pytest.raises(ConfigError, match="small"):
        JEDI("catch", preset="smal")
    with pytest.raises(ConfigError, match=r"denoiser\.channels"):
        JEDI("catch", overrides=["denoiser.chanels=8"])
    with pytest.raises(UnsupportedEnvError):
        JEDI("CartPole-v1")
    with pytest.raises(UnsupportedEnvError, match="not yet"):
        JEDI(lambda: ContinuousPictures())
    with pytest.raises(TypeError, match="encoder"):
        JEDI("catch", encodr=Patches())


class ContinuousPictures(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Box(-1, 1, (2,))


def test_a_used_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="not empty"):
        JEDI("catch", preset="tiny").learn(run_dir=tmp_path)
    with pytest.raises(RunFolderError, match="not a run folder"):
        JEDI("catch", preset="tiny").learn(run_dir=tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the folder should be: refused before anything is trained, for root as for anybody."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        JEDI("catch", preset="tiny").learn(run_dir=tmp_path / "file" / "run")


def test_only_a_run_is_resumed_and_nothing_is_left_in_other_folders(agent: JEDI, tmp_path: Path) -> None:
    folder = agent.save_pretrained(tmp_path / "agent")
    assert agent.run_dir is not None
    for place in (folder, checkpoint.find(agent.run_dir)):
        before = sorted(path.name for path in place.iterdir())
        with pytest.raises(CheckpointError, match="not a run folder"):
            JEDI.resume(place)
        assert sorted(path.name for path in place.iterdir()) == before


def test_the_game_and_the_seed_passed_win_over_a_ready_config(agent: JEDI) -> None:
    other = JEDI("JEDI/Catch-v0", config=replace(agent.config, game="pong", seed=1), seed=5)
    assert (other.config.game, other.config.seed) == ("catch", 5)
    with pytest.raises(ConfigError, match="preset"):
        JEDI("catch", config=agent.config, preset="small")


@pytest.mark.parametrize("change", [{"lr": -1e-4}, {"clip_denoiser": float("inf")}])
def test_a_config_whose_checkpoints_nobody_could_read_is_refused(change: dict[str, float]) -> None:
    config = replace(TINY, game="catch", optim=replace(TINY.optim, **change))
    with pytest.raises(ConfigError, match=rf"optim.{next(iter(change))}"):
        JEDI("catch", config=config)


class Odd(Patches):
    def __init__(self, buffer: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("odd", buffer)


def test_a_part_that_no_checkpoint_could_hold_is_refused() -> None:
    with pytest.raises(TypeError, match=r"encoder: odd is torch.float64, and a checkpoint holds float32"):
        JEDI("catch", preset="tiny", encoder=Odd(torch.zeros(2, dtype=torch.float64)))
    with pytest.raises(ValueError, match=r"encoder: odd is not finite.*persistent=False"):
        JEDI("catch", preset="tiny", encoder=Odd(torch.full((2,), -torch.inf)))
    tied = Patches()
    tied.again = tied.conv
    with pytest.raises(ValueError, match=r"encoder: again.weight is conv.weight again"):
        JEDI("catch", preset="tiny", encoder=tied)


class Wordy(CatchEnv):
    def get_action_meanings(self) -> list[str]:
        return ["left\nright", "stay", "right"]


def test_words_that_no_card_could_hold_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint of this agent could be read back: its 'action_meanings'"):
        JEDI(Wordy, preset="tiny")


@pytest.mark.parametrize(
    ("device", "said"), [("meta", "write --device cpu or auto"), ("gpu", "write cpu, cuda, cuda:1 or auto")]
)
def test_a_device_that_cannot_play_is_refused(device: str, said: str) -> None:
    with pytest.raises(DeviceError, match=said):
        JEDI("catch", preset="tiny", device=device)
