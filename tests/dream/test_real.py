"""The real world as the dream shows itself: frame by frame against the raw env and the encoder."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics as OfOne
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from jedi_sdk.config import Config
from jedi_sdk.dream import Dream, DreamEnv, LatentObservation, RealEnv
from jedi_sdk.dream.sb3 import DreamVecEnv
from jedi_sdk.envs import make_envs, make_single
from jedi_sdk.envs.catch import CatchVectorEnv
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel

N, K = 4, 4


@pytest.fixture
def world_model(tiny: Config, wake) -> WorldModel:
    return wake(WorldModel(tiny, 3))


def encode(world_model: WorldModel, frames: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return world_model.encode(torch.from_numpy(np.ascontiguousarray(frames))).numpy()


def assert_close(one: Any, other: Any) -> None:
    """Equal but for the encoder's rounding, which depends on the size of the batch."""
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_it_is_the_raw_env_through_the_encoder(world_model: WorldModel, mode: AutoresetMode) -> None:
    """In every mode the frames are those of a raw env of this mode, final ones included: none is lost or made up."""
    raw, real = CatchVectorEnv(N, mode), RealEnv(make_envs("catch", N), world_model, autoreset_mode=mode)
    rng, ended = np.random.default_rng(0), 0
    assert_close(real.reset(seed=5)[0], encode(world_model, raw.reset(seed=5)[0]))
    for t in range(40):
        act = rng.integers(3, size=N)
        frames, *outcome, raw_infos = raw.step(act)
        obs, *ours, infos = real.step(act)
        assert obs in real.observation_space
        assert_close(obs, encode(world_model, frames))
        for x, y in zip(ours, outcome, strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)
        assert ("final_obs" in infos) == ("final_obs" in raw_infos)
        for i in np.flatnonzero(infos.get("_final_obs", [])):
            assert_close(infos["final_obs"][i], encode(world_model, raw_infos["final_obs"][i][None])[0])
        done = ours[1] | ours[2]
        ended += int(done.sum())
        mask = done if mode is AutoresetMode.DISABLED else np.zeros(N, bool)
        mask = mask | (np.arange(N) < 2) if t == 3 else mask  # out of step from here on
        if mask.any():
            options = [{"reset_mask": mask.copy()} for _ in range(2)]
            frames = raw.reset(options=options[0])[0]
            assert_close(real.reset(options=options[1])[0], encode(world_model, frames))
    assert ended > 15
    assert real.metadata["autoreset_mode"] is mode
    assert real.action_space == raw.action_space


def by_hand(world_model: WorldModel, frames: list[np.ndarray], acts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """An episode's last K latents, padded with its first, and the heads' memory of all of it."""
    z = encode(world_model, np.stack(frames))
    padded = np.concatenate([np.repeat(z[:1], K - 1, 0), z])[-K:]
    memory = world_model.heads.lstm.empty(1)
    if acts:
        with torch.no_grad():
            _, _, memory = world_model.heads(torch.from_numpy(z)[None], torch.tensor([acts]))
    return padded, memory[0][0].numpy()


def test_the_history_is_the_episodes_own(world_model: WorldModel) -> None:
    """Stacked latents and the heads' memory, compared with each episode computed anew; at an end, its last."""
    raw = CatchVectorEnv(N, "SameStep")
    stacked = RealEnv(make_envs("catch", N), world_model, stack=K)
    features = RealEnv(make_envs("catch", N), world_model, obs="features")
    frames = raw.reset(seed=5)[0]
    stacked.reset(seed=5)
    features.reset(seed=5)
    episodes: list[tuple[list, list]] = [([frame], []) for frame in frames]
    rng = np.random.default_rng(0)
    for t in range(20):
        if t == 3:
            mask = np.array([True, False, True, False])
            frames = raw.reset(options={"reset_mask": mask})[0]
            for env in (stacked, features):
                env.reset(options={"reset_mask": mask.copy()})
            episodes = [([frames[i]], []) if mask[i] else episodes[i] for i in range(N)]
        act = rng.integers(3, size=N)
        frames, _, _, _, raw_infos = raw.step(act)
        z, _, _, _, z_infos = stacked.step(act)
        h, _, _, _, h_infos = features.step(act)
        for i in range(N):
            over = "final_obs" in raw_infos and raw_infos["_final_obs"][i]
            episodes[i][0].append(raw_infos["final_obs"][i] if over else frames[i])
            episodes[i][1].append(int(act[i]))
            latents, memory = by_hand(world_model, *episodes[i])
            assert_close((z_infos["final_obs"] if over else z)[i], latents.reshape(-1, 8, 8))
            assert_close((h_infos["final_obs"] if over else h)[i], memory)
            if over:
                episodes[i] = ([frames[i]], [])
                latents, memory = by_hand(world_model, *episodes[i])
                assert_close(z[i], latents.reshape(-1, 8, 8))
                assert_close(h[i], memory)


class Payday(gymnasium.Env):
    """Pays 7 and takes 3 in turn; shows how often it was stepped; is cut after 5 steps; tells of it in its info."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(3, start=1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.seen(), {"lives": 3}

    def step(self, action):
        assert action in self.action_space
        self.steps += 1
        return self.seen(), 7.0 if self.steps % 2 else -3.0, False, self.steps == 5, {"lives": 3 - self.steps // 2}

    def seen(self):
        return np.full((64, 64, 3), 10 * self.steps, np.uint8)


@pytest.mark.parametrize("num_envs", [1, 2])  # in this process, and in one each
def test_a_custom_env_with_raw_rewards_cuts_and_infos(world_model: WorldModel, num_envs: int) -> None:
    real = RealEnv(make_envs(Payday, num_envs), world_model)
    real.reset(seed=0)
    steps = [real.step(np.zeros(num_envs, int)) for _ in range(7)]
    assert [step[1][0] for step in steps] == [7, -3, 7, -3, 7, 7, -3]
    assert [step[3][0] for step in steps] == [False] * 4 + [True] + [False] * 2
    assert [step[4]["lives"][0] for step in steps] == [3, 2, 2, 1, 3, 3, 2]  # at once those of the new episode
    assert steps[4][4]["final_info"]["lives"].tolist() == [1] * num_envs
    shown = encode(world_model, np.stack([np.full((64, 64, 3), 10 * t, np.uint8) for t in range(6)]))
    assert_close(steps[4][4]["final_obs"][0], shown[5])
    for step, t in zip(steps, [1, 2, 3, 4, 0, 1, 2], strict=True):
        assert_close(step[0][0], shown[t])
    real.close()
    signs = RealEnv(make_envs(Payday, 1), world_model, reward="sign", to_numpy=False)
    obs, _ = signs.reset(seed=0)
    assert torch.is_tensor(obs)
    assert [float(signs.step(torch.zeros(1, dtype=torch.int64))[1]) for _ in range(3)] == [1, -1, 1]


def test_what_is_remembered_ends_with_a_life_as_in_training_and_the_game_goes_on(world_model: WorldModel) -> None:
    """Payday loses a life in its second and its fourth step, and begins anew with three behind its fifth."""
    real = RealEnv(make_envs(Payday, 2), world_model, stack=2, life_loss_ends=True)
    real.reset(seed=0)
    lost, remembered, seen = [], [], []
    for _ in range(7):
        obs, *_ = real.step(np.zeros(2, int))
        lost.append(real.lost.tolist())
        remembered.append(real.starts().mask.sum(1).tolist())
        seen.append(obs)
    assert lost == [[t in (1, 3, 6)] * 2 for t in range(7)]
    assert remembered == [[n] * 2 for n in (2, 1, 2, 1, 1, 2, 1)]  # SAME_STEP: the fifth shows the next game
    shown = encode(world_model, np.stack([np.full((64, 64, 3), 10 * t, np.uint8) for t in range(6)]))
    for obs, (before, now) in zip(seen, [(0, 1), (2, 2), (2, 3), (4, 4), (0, 0), (0, 1), (2, 2)], strict=True):
        assert_close(obs[0], np.concatenate([shown[before], shown[now]]))
    features = RealEnv(make_envs(Payday, 1), world_model, obs="features", life_loss_ends=True)
    begun, _ = features.reset(seed=0)
    memories = [features.step(np.zeros(1, int))[0] for _ in range(3)]
    empty = world_model.heads.lstm.empty(1)[0]
    assert_close(begun, empty)
    assert_close(memories[1], empty)
    assert not np.allclose(memories[2], empty)


def test_atari_begins_anew_and_its_neighbour_notices_nothing(tiny: Config) -> None:
    """The neighbour never fires, so its game goes on: its paddle moves as in a raw env of gymnasium's NEXT_STEP."""
    world_model = WorldModel(tiny, 4)
    raw, real = make_envs("breakout", 2), RealEnv(make_envs("breakout", 2), world_model)
    raw.reset(seed=0)
    real.reset(seed=0)
    rng, over, steps_on = np.random.default_rng(0), False, 0
    while steps_on < 20:
        act = np.array([rng.integers(4), rng.choice([0, 2, 3])])
        frames, _, raw_term, *_ = raw.step(act)
        obs, _, term, trunc, infos = real.step(act)
        z = encode(world_model, frames)
        assert_close(obs[1], z[1])
        steps_on += over
        if not over and term[0]:
            over = bool(raw_term[0])
            assert infos["lives"].tolist() == [5, 5]
            assert infos["final_info"]["lives"].tolist() == [0, 5]
            assert_close(infos["final_obs"][0], z[0])
            assert not np.allclose(obs[0], z[0])
        assert term.tolist() == [steps_on == 0 and over, False]
        assert not trunc.any()
    assert over


def test_whole_games_are_scored(world_model: WorldModel) -> None:
    real = RecordEpisodeStatistics(RealEnv(make_envs("catch", N), world_model))
    real.reset(seed=0)
    for _ in range(14):
        real.step(np.ones(N, int))
    assert list(real.length_queue) == [7] * 2 * N
    assert set(real.return_queue) <= {-1.0, 1.0}


def test_a_dream_goes_on_from_where_the_games_stand(world_model: WorldModel) -> None:
    """Just begun, and in the middle; under wrappers; and from there alone, one game for many dreams."""
    real = RealEnv(make_envs("catch", N), world_model)
    dream = DreamEnv(Dream(world_model, N, 5), "Disabled")
    obs, _ = real.reset(seed=0)
    frames, acts = [make_envs("catch", N).reset(seed=0)[0]], []
    raw = make_envs("catch", N)
    raw.reset(seed=0)
    for t in range(6):
        assert np.array_equal(dream.reset(options={"from": DreamVecEnv(real)})[0], obs)
        assert np.array_equal(dream.reset(options={"from": RecordEpisodeStatistics(real)})[0], obs)
        expected = world_model.start(segment(frames, acts))
        state = dream.get_state().state
        assert_close(state.z, expected.z)
        assert torch.equal(state.act, expected.act)
        assert_close(state.lstm[0], expected.lstm[0])
        act = np.full(N, t % 3)
        obs, *_ = real.step(act)
        frames.append(raw.step(act)[0])
        acts.append(act)
    mask = np.array([False, True, True, False])
    before, *_ = dream.step(np.zeros(N, int))
    after, _ = dream.reset(options={"from": real, "reset_mask": mask} | {"from": one_game(world_model)})
    assert np.array_equal(after[~mask], before[~mask])
    assert np.array_equal(after[1], after[2])


def one_game(world_model: WorldModel) -> RealEnv:
    real = RealEnv(make_envs("catch", 1), world_model)
    real.reset(seed=9)
    return real


def segment(frames: list[np.ndarray], acts: list[np.ndarray]) -> Segment:
    """The last K frames as the replay would give them."""
    missing = max(0, K - len(frames))
    obs = np.stack([*[frames[0]] * missing, *frames[-K:]], axis=1)
    act = np.stack([*[np.zeros(N, np.int64)] * missing, *[*acts, np.zeros(N, np.int64)][-K:]], axis=1)
    mask = (torch.arange(K) >= missing).expand(N, -1)
    nothing = torch.zeros(N, K)
    return Segment(torch.from_numpy(obs), torch.from_numpy(act), nothing, nothing.bool(), nothing.bool(), mask)


def test_a_single_env_is_wrapped_alike(world_model: WorldModel) -> None:
    env, raw = LatentObservation(make_single("catch"), world_model, stack=2), make_single("catch")
    dream = DreamEnv(Dream(world_model, 3, 5, stack=2))
    obs, _ = env.reset(seed=3)
    frames = [raw.reset(seed=3)[0]] * 2
    for t in range(7):
        assert obs in env.observation_space
        assert_close(obs, encode(world_model, np.stack(frames[-2:])).reshape(-1, 8, 8))
        assert np.array_equal(dream.reset(options={"from": env})[0], np.stack([obs] * 3))
        obs, rew, term, trunc, info = env.step(t % 3)
        frame, *outcome = raw.step(t % 3)
        assert [rew, term, trunc, info] == outcome
        frames.append(frame)
    assert term
    with warnings.catch_warnings(action="ignore"):  # that it is a wrapper and has no spec
        check_env(LatentObservation(make_single("catch"), world_model))


def test_actions_are_called_as_the_game_calls_them(world_model: WorldModel) -> None:
    envs = make_envs("catch", 2)
    assert RealEnv(envs, world_model).get_action_meanings() == ["LEFT", "NOOP", "RIGHT"]
    said = RealEnv(envs, world_model, action_meanings=["A", "B", "C"]).get_action_meanings()
    assert said == ["A", "B", "C"]


def test_a_mask_of_tensors_begins_new_games_there(world_model: WorldModel) -> None:
    real = RealEnv(make_envs("catch", 3), world_model, autoreset_mode="Disabled", to_numpy=False)
    before, _ = real.reset(seed=0)
    obs, _ = real.reset(options={"reset_mask": torch.tensor([False, True, False])})
    assert torch.equal(obs[[0, 2]], before[[0, 2]])


class Telling(Payday):
    """Says at its end how it went, which its reset does not."""

    def step(self, action):
        obs, rew, term, trunc, info = super().step(action)
        return obs, rew, term, trunc, {**info, "success": True} if trunc else info


def test_what_ended_episodes_told_is_told_once(world_model: WorldModel) -> None:
    """Beside gymnasium's own vector env: of an ended episode in ``final_info`` alone, or statistics count it twice."""

    def late() -> gymnasium.Env:
        return OfOne(Telling())

    real = RecordEpisodeStatistics(RealEnv(make_envs(late, 1), world_model))
    theirs = RecordEpisodeStatistics(SyncVectorEnv([late], autoreset_mode=AutoresetMode.SAME_STEP))
    real.reset(seed=0)
    theirs.reset(seed=0)
    for _ in range(12):
        *_, infos = real.step(np.zeros(1, int))
        *_, expected = theirs.step(np.ones(1, int))
        assert set(infos) == set(expected)
        assert infos.get("episode", {}).get("r") == expected.get("episode", {}).get("r")
        for ours, others in zip(*(x.get("final_info", {}).get("success", []) for x in (infos, expected)), strict=True):
            assert ours == others
    real.close()
