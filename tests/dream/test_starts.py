"""Where dreams begin: from the replay, from a file, from frames of one's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.collect import Collector
from jedi_sdk.config import Config, EncoderConfig
from jedi_sdk.dream import Dream, DreamEnv, Starts
from jedi_sdk.dream.starts import encode
from jedi_sdk.envs import make_envs
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel

FULL = Precision(torch.device("cpu"), torch.float32)
WIDE = EncoderConfig(patch=8, channels=(8, 16))  # latents as large as atari100k's


@pytest.fixture
def world_model(tiny: Config, wake) -> WorldModel:
    return wake(WorldModel(replace(tiny, encoder=WIDE), 3))


@pytest.fixture
def replay(tiny: Config, world_model: WorldModel) -> Replay:
    """A few games of catch, played at random."""
    replay = Replay(None, 2, capacity=400, context=4)
    actor_critic = ActorCritic(world_model.latent_shape, 3, tiny.actor_critic)
    actor = Actor(actor_critic, Rng(0), world_model.encode, epsilon=1.0)
    Collector(make_envs("catch", 2), replay, 0, "cpu").collect(actor, 300)
    return replay


def test_a_few_hundred_contexts_of_the_replay(world_model: WorldModel, replay: Replay) -> None:
    starts = Starts.from_replay(world_model, replay, FULL, np.random.default_rng(3))
    assert 200 < len(starts) <= 256
    segment = replay.sample(len(starts), 4, np.random.default_rng(3))
    for i in range(0, len(starts), 40):
        with torch.no_grad():
            torch.testing.assert_close(starts.z[i], world_model.encode(segment.obs[i]), rtol=1e-5, atol=1e-5)
    assert torch.equal(starts.act, segment.act[:, :3])
    assert torch.equal(starts.mask, segment.mask)
    assert not starts.mask.all()  # some episodes have just begun
    assert starts.mask[:, -1].all()


def test_they_fit_in_two_megabytes_and_come_back(world_model: WorldModel, replay: Replay, tmp_path: Path) -> None:
    starts = Starts.from_replay(world_model, replay, FULL, np.random.default_rng(0))
    starts = replace(starts, z=starts.z.clone())
    starts.z[0, 0, 0, 0, 0] = 3.0
    save_file(starts.tensors(), tmp_path / "starts.safetensors")
    assert (tmp_path / "starts.safetensors").stat().st_size <= 2_000_000
    read = Starts.from_tensors(load_file(tmp_path / "starts.safetensors"), world_model, FULL.device)
    torch.testing.assert_close(read.z, starts.z, rtol=2**-10, atol=1e-6)
    assert torch.equal(read.act, starts.act)
    assert torch.equal(read.mask, starts.mask)
    again = Starts.from_tensors(read.tensors(), world_model, FULL.device)
    assert torch.equal(again.z, read.z)  # rounded once


def test_rounding_does_not_lead_out_of_the_observation_space(tiny: Config) -> None:
    """The neighbours of 2.7005 in half precision are 2.6992 and 2.7012."""
    world_model = WorldModel(replace(tiny, objective=replace(tiny.objective, clamp_scale=2.7005)), 3)
    starts = Starts(torch.full((1, 4, 4, 8, 8), 2.7005), torch.zeros(1, 3, dtype=torch.int64), torch.ones(1, 4) > 0)
    assert starts.tensors()["z"].float().max() > 2.7005
    env = DreamEnv(Dream(world_model, 2, 5, Starts.from_tensors(starts.tensors(), world_model, FULL.device)))
    assert env.reset()[0] in env.observation_space


def test_of_latents_that_are_very_large_one_is_kept(
    world_model: WorldModel, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jedi_sdk.dream.starts.MOST_BYTES", 10)
    assert len(Starts.from_replay(world_model, replay, FULL, np.random.default_rng(0))) == 1


def test_dreams_begin_at_them_and_draw_all_of_them(world_model: WorldModel, replay: Replay) -> None:
    starts = Starts.from_replay(world_model, replay, FULL, np.random.default_rng(0))
    env = DreamEnv(Dream(world_model, 2000, 5, starts))
    env.reset(seed=0)
    drawn = {tuple(z.tolist()) for z in env.get_state().state.z[:, -1, 0, 0, :3]}
    assert drawn == {tuple(z.tolist()) for z in starts.z[:, -1, 0, 0, :3]}


# -- frames of one's own --------------------------------------------------------------------------------------------


@pytest.fixture
def dream(world_model: WorldModel) -> DreamEnv:
    return DreamEnv(Dream(world_model, 3, 5), "Disabled")


def games(k: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``k`` frames of three games, and the action at each."""
    envs, acts = make_envs("catch", 3), np.array([[0, 2, 1, 1], [1, 1, 1, 0], [2, 2, 2, 2]])
    frames = [envs.reset(seed=0)[0], *(envs.step(acts[:, t])[0] for t in range(k - 1))]
    return np.stack(frames, axis=1), acts[:, :k]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_dream_goes_on_from_ones_own_frames(dream: DreamEnv, world_model: WorldModel, replay: Replay, k: int) -> None:
    """Fewer than the context are the beginning of an episode, padded as the replay pads."""
    frames, actions = games(k)
    obs, _ = dream.reset(options={"frames": frames, "actions": actions})
    row = {"rew": np.zeros(2), "end": np.zeros(2, bool), "trunc": np.zeros(2, bool), "dead": np.zeros(2, bool)}
    episode = Replay(None, 2, capacity=10, context=4)
    for t in range(k):
        episode.add(obs=frames[:2, t], act=actions[:2, t], step=np.full(2, t), **row)
    expected = world_model.start(episode.window(np.array([k - 1, k - 1]), np.array([0, 1]), 4))
    state = dream.get_state([0, 1]).state
    torch.testing.assert_close(state.z, expected.z, rtol=1e-5, atol=1e-5)
    assert torch.equal(state.act, expected.act)
    torch.testing.assert_close(state.lstm[0], expected.lstm[0], rtol=1e-5, atol=1e-5)
    assert np.array_equal(obs[:2], state.z[:, -1].numpy())


def test_the_action_at_the_last_frame_is_not_used(dream: DreamEnv) -> None:
    frames, actions = games(4)
    dream.reset(options={"frames": frames, "actions": actions})
    one = dream.get_state()
    for others in (actions[:, :3], np.c_[actions[:, :3], [0, 0, 0]]):
        dream.reset(options={"frames": frames, "actions": others.astype(np.uint8)})
        assert torch.equal(dream.get_state().state.act, one.state.act)
    changed = actions.copy()
    changed[:, 2] += 1
    dream.reset(options={"frames": frames, "actions": changed % 3})
    assert not torch.equal(dream.get_state().state.lstm[0], one.state.lstm[0])


def test_one_frame_has_no_actions(dream: DreamEnv) -> None:
    frames, _ = games(1)
    obs, _ = dream.reset(options={"frames": frames[0], "actions": []})
    expected, _ = dream.reset(options={"frames": frames[0], "actions": np.zeros(0, np.int64)})
    assert np.array_equal(obs, expected)


def test_frames_may_be_flipped_pictures(world_model: WorldModel) -> None:
    frames, _ = games(1)
    flipped = frames[:, 0, :, ::-1]
    assert torch.equal(encode(world_model, flipped, FULL), encode(world_model, flipped.copy(), FULL))


def test_one_context_for_all_and_contexts_for_some(dream: DreamEnv) -> None:
    frames, actions = games(4)
    obs, _ = dream.reset(options={"frames": frames[0], "actions": actions[0]})  # without the first axis
    assert np.array_equal(obs[0], obs[1])
    obs, _ = dream.reset(options={"frames": frames, "actions": actions})
    mask = np.array([False, True, True])
    new, _ = dream.reset(options={"frames": frames[[0, 2]], "actions": actions[[0, 2]], "reset_mask": mask})
    np.testing.assert_allclose(new, obs[[0, 0, 2]], atol=1e-5)
