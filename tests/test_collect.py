"""Collecting in the real Catch, the real Breakout and a small env that is truncated, against playing it anew."""

from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from jedi_sdk import JEDI
from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.collect import Collector
from jedi_sdk.envs import UnsupportedEnvError, make_envs
from jedi_sdk.envs.catch import CatchEnv
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel


@dataclass
class Dice:
    """A policy that plays at random, counts its calls in its memory, and keeps what it was shown."""

    num_actions: int
    seen: list = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __call__(self, x, state, first):
        act = torch.from_numpy(self.rng.integers(self.num_actions, size=len(x)))
        self.seen.append((x.clone(), act, state, first.clone()))
        return act, (state or 0) + 1


def collect(game, num_envs: int, num_actions: int, num_steps: int, **options):
    """The rows (t n …) by name, what ``collect`` said, and the policy."""
    envs, replay, policy = make_envs(game, num_envs), Replay(None, num_envs, 4_000), Dice(num_actions)
    collector = Collector(envs, replay, seed=5, device="cpu", **options)
    steps, episodes = collector.collect(policy, num_steps)
    envs.close()
    return {name: column[: replay.count] for name, column in replay.columns.items()}, steps, episodes, policy


def assert_policy_saw_the_rows(rows: dict, policy: Dice) -> None:
    """Every frame, its own memory back, and ``first`` exactly where an episode begins."""
    x, act, state, first = zip(*policy.seen, strict=True)
    assert np.array_equal(torch.stack(x).numpy(), rows["obs"])
    assert np.array_equal(torch.stack(first).numpy(), rows["step"] == 0)
    assert np.array_equal(torch.stack(act).numpy() * ~rows["dead"], rows["act"])
    assert list(state) == [None, *range(1, len(state))]


def test_catch_is_what_single_games_of_catch_are() -> None:
    rows, steps, episodes, policy = collect("catch", 3, 3, 200)
    assert_policy_saw_the_rows(rows, policy)
    assert 200 <= steps < 203
    assert steps == (~rows["dead"]).sum()
    for i in range(3):
        env = CatchEnv()
        obs, _ = env.reset(seed=5 + i)
        for t in range(len(rows["obs"])):
            assert np.array_equal(rows["obs"][t, i], obs)
            assert rows["step"][t, i] == t % 8
            assert rows["dead"][t, i] == (t % 8 == 7)
            if rows["dead"][t, i]:
                obs, rew, term = env.reset()[0], 0, False
            else:
                obs, rew, term, _, _ = env.step(rows["act"][t, i])
            assert (rows["rew"][t, i], rows["end"][t, i], rows["trunc"][t, i]) == (rew, term, False)
    assert len(episodes) == rows["end"].sum()
    assert {episode.length for episode in episodes} == {7}
    assert sum(episode.score for episode in episodes) == rows["rew"].sum()


def play_breakout(acts: np.ndarray):
    """What ALE answers to the same actions after the same seed: (t+1 n …) frames and lives, (t n) the rest."""
    envs = make_envs("breakout", acts.shape[1])
    obs, info = envs.reset(seed=5)
    steps = [(obs, info["lives"], *[np.zeros(acts.shape[1])] * 2)]
    for act in acts:
        obs, rew, term, trunc, info = envs.step(act)
        assert not trunc.any()
        steps.append((obs, info["lives"], rew, term))
    columns = [np.array(column) for column in zip(*steps, strict=True)]
    return columns[0], columns[1].astype(int), *(column[1:] for column in columns[2:])


@pytest.mark.parametrize("life_loss_ends", [True, False])
def test_breakout_is_what_ale_plays_and_a_lost_life_ends_an_episode_but_not_the_game(life_loss_ends: bool) -> None:
    rows, steps, episodes, policy = collect("breakout", 2, 4, 900, life_loss_ends=life_loss_ends)
    assert_policy_saw_the_rows(rows, policy)
    acts = torch.stack([act for _, act, _, _ in policy.seen]).numpy()
    obs, lives, rew, term = play_breakout(acts)
    dead = np.zeros_like(rows["dead"])
    dead[1:] = term.astype(bool)[:-1]
    lost = (lives[1:] < lives[:-1]) & ~dead
    assert term.sum() >= 2
    assert lost.sum() >= 10
    assert np.array_equal(rows["obs"], obs[:-1])
    assert np.array_equal(rows["dead"], dead)
    assert np.array_equal(rows["rew"], np.sign(rew))
    assert np.array_equal(rows["end"], lost if life_loss_ends else term.astype(bool))
    assert not rows["trunc"].any()
    assert steps == (~dead).sum()
    for i in range(2):
        step = 0
        for t in range(len(acts)):
            assert rows["step"][t, i] == step
            step = 0 if dead[t, i] or (rows["end"][t, i] and not term[t, i]) else step + 1
    games = [played for i in range(2) for played in scores(rew[:, i], term[:, i].astype(bool))]
    assert sorted((e.score, e.length) for e in episodes) == sorted(games)
    assert any(score > 0 for score, _ in games)


def scores(rew: np.ndarray, term: np.ndarray) -> list[tuple[float, int]]:
    """Score and length of each finished game, over all its lives; a reset takes a row of its own."""
    games, start = [], 0
    for end in np.flatnonzero(term):
        games.append((float(rew[start : end + 1].sum()), int(end + 1 - start)))
        start = end + 2
    return games


class Countdown(gymnasium.Env):
    """Rewards of 5, -3 and 0, then truncated."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return self._obs(), {}

    def step(self, action):
        rew = (5.0, -3.0, 0.0)[self.t]
        self.t += 1
        return self._obs(), rew, False, self.t == 3, {}

    def _obs(self):
        return np.full((64, 64, 3), 10 * self.t, np.uint8)


class Mad(Countdown):
    def step(self, action):
        obs, _, term, trunc, info = super().step(action)
        return obs, float("nan"), term, trunc, info


def test_a_game_that_pays_no_number_is_refused() -> None:
    with pytest.raises(UnsupportedEnvError, match=r"paid nan: every reward must be a finite number"):
        collect(Mad, 1, 2, 6)


def test_scores_are_raw_rewards_are_signs_and_a_truncation_is_no_end() -> None:
    rows, steps, episodes, policy = collect(Countdown, 1, 2, 6)
    assert_policy_saw_the_rows(rows, policy)
    assert rows["obs"][:, 0, 0, 0, 0].tolist() == [0, 10, 20, 30, 0, 10, 20]
    assert rows["rew"][:, 0].tolist() == [1, -1, 0, 0, 1, -1, 0]
    assert rows["trunc"][:, 0].tolist() == [False, False, True, False, False, False, True]
    assert rows["dead"][:, 0].tolist() == [False, False, False, True, False, False, False]
    assert not rows["end"].any()
    assert [(episode.score, episode.length) for episode in episodes] == [(2.0, 3), (2.0, 3)]
    assert steps == 6


class Lives(gymnasium.Env):
    """From 2 lives to 3, to 2, to 3, and at last to ``final``, where it is truncated."""

    observation_space, action_space = Countdown.observation_space, Countdown.action_space

    def __init__(self, final: int) -> None:
        self.lives = (2, 3, 2, 3, final)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros((64, 64, 3), np.uint8), {"lives": 2}

    def step(self, action):
        self.t += 1
        return np.zeros((64, 64, 3), np.uint8), 1.0, False, self.t == 4, {"lives": self.lives[self.t]}


@pytest.mark.parametrize(("final", "end", "trunc"), [(2, True, False), (3, False, True)])
def test_only_a_life_less_ends_an_episode_and_what_ends_is_not_truncated_too(final, end, trunc) -> None:
    """Neither does one more, nor the reset that takes one back."""
    rows, _, episodes, policy = collect(lambda: Lives(final), 1, 2, 6)
    assert_policy_saw_the_rows(rows, policy)
    assert rows["end"][:, 0].tolist() == [False, True, False, end, False, False, True]
    assert rows["trunc"][:, 0].tolist() == [False, False, False, trunc, False, False, False]
    assert rows["dead"][:, 0].tolist() == [False, False, False, False, True, False, False]
    assert rows["step"][:, 0].tolist() == [0, 1, 0, 1, 2, 0, 1]
    assert [(episode.score, episode.length) for episode in episodes] == [(4.0, 4)]


class Taciturn(gymnasium.Env):
    """Two lives, the second of which begins in the third step and ends with the game in the fifth; of its lives it
    tells in the steps ``told`` alone."""

    observation_space, action_space = Countdown.observation_space, Countdown.action_space

    def __init__(self, told: set[int]) -> None:
        self.told = told

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return self._seen()

    def step(self, action):
        self.t += 1
        obs, info = self._seen()
        return obs, 1.0, self.t == 5, False, info

    def _seen(self):
        return np.zeros((64, 64, 3), np.uint8), {"lives": 2 if self.t < 3 else 1} if self.t in self.told else {}


@pytest.mark.parametrize("num_envs", [1, 2])
@pytest.mark.parametrize(
    ("told", "ends"),
    [
        ({0}, [4]),  # how many there are, and never how many are left
        ({0, 3}, [2, 4]),  # where it changes
        ({1, 4}, [3, 4]),  # now and then: it is lost when that is told
        ({3}, [4]),  # never in comparison to anything
        (set(), [4]),
        ({0, 1, 2, 3, 4, 5}, [2, 4]),
    ],
)
def test_a_game_that_does_not_tell_its_lives_has_lost_none(num_envs: int, told: set[int], ends: list[int]) -> None:
    rows, *_ = collect(lambda: Taciturn(told), num_envs, 2, 12 * num_envs)
    one_game = [t in ends for t in range(5)] + [False]  # and the row that shows its last frame
    for i in range(num_envs):
        assert rows["end"][:12, i].tolist() == 2 * one_game


def test_collecting_goes_on_where_it_stopped() -> None:
    envs, replay, policy = make_envs("catch", 2), Replay(None, 2, 512), Dice(3)
    collector = Collector(envs, replay, seed=5, device="cpu")
    parts = [collector.collect(policy, 10) for _ in range(7)]
    whole, steps, episodes, _ = collect("catch", 2, 3, 70)
    assert sum(part[0] for part in parts) == steps
    assert [episode for part in parts for episode in part[1]] == episodes
    assert all(np.array_equal(replay.columns[name][: replay.count], whole[name]) for name in whole)


def test_no_segment_crosses_from_one_collector_to_the_next() -> None:
    replay = Replay(None, 1, 512)
    for _ in range(2):
        Collector(make_envs("catch", 1), replay, seed=5, device="cpu").collect(Dice(3), 3)
    assert replay.columns["dead"][:6, 0].tolist() == [False, False, True, False, False, False]
    assert replay.columns["step"][:6, 0].tolist() == [0, 1, 2, 0, 1, 2]


def test_the_actor_sees_frames_through_the_encoder(tiny) -> None:
    world_model = WorldModel(tiny, 3)
    actor_critic = ActorCritic(world_model.latent_shape, 3, tiny.actor_critic)
    actor = Actor(actor_critic, Rng(0), encode=world_model.encode, epsilon=0.5)
    replay = Replay(None, 2, 512)
    Collector(make_envs("catch", 2), replay, seed=0, device="cpu").collect(actor, 100)
    assert set(replay.columns["act"][: replay.count].ravel()) == {0, 1, 2}


def test_nothing_is_cut_off_before_something_is_collected() -> None:
    """A run that is resumed in its updates dreams from all that it dreamed from before."""
    envs, replay = make_envs("catch", 2), Replay(None, 2, 4_000)
    Collector(envs, replay, seed=5, device="cpu").collect(Dice(3), 12)
    before = replay.columns["dead"][: replay.count].copy()
    again = Collector(envs, replay, seed=6, device="cpu")
    np.testing.assert_array_equal(replay.columns["dead"][: len(before)], before)
    assert not before[-1].any()
    again.collect(Dice(3), 2)
    assert replay.columns["dead"][len(before) - 1].all()
    envs.close()


def test_an_epoch_of_one_row_is_no_dream_to_check(tmp_path: Path) -> None:
    settings = ["env.num_envs=8", "schedule.epoch.env_steps=8", "schedule.env_steps=80", "run.fidelity_every=1"]
    JEDI("catch", preset="tiny", overrides=settings).learn(run_dir=tmp_path / "run", progress=False)
