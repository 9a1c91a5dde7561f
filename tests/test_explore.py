"""Random actions that last, and envs in which they are played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from jedi_sdk import JEDI
from jedi_sdk.collect import Episode
from jedi_sdk.config import EnvConfig
from jedi_sdk.explore import Explorers, Exploring, Sticky
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng

NOBODY = torch.zeros(8, dtype=torch.bool)


def test_sticky_actions_last_and_use_every_action() -> None:
    policy, x = Sticky(4, Rng(0)), torch.zeros(8, 1)
    acts, state = [], None
    for _ in range(2_000):
        act, state = policy(x, state, NOBODY)
        acts.append(act)
    played = torch.stack(acts)
    changed = (played[1:] != played[:-1]).float().mean().item()
    assert changed == pytest.approx(0.3 * 3 / 4, abs=0.01)  # a quarter of the draws is the same action again
    assert (torch.bincount(played.flatten()) / played.numel()).tolist() == pytest.approx([0.25] * 4, abs=0.02)


def counting(x: torch.Tensor, state: int | None, first: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Action 9 everywhere; remembers how often it was asked."""
    return torch.full((len(x),), 9), (state or 0) + 1


def test_the_first_envs_explore_and_the_others_follow_the_policy() -> None:
    exploring, x, state = Exploring(counting, Sticky(4, Rng(0)), explorers=3), torch.zeros(8, 1), None
    seen = set()
    for _ in range(100):
        act, state = exploring(x, state, NOBODY)
        assert (act[3:] == 9).all()
        seen |= set(act[:3].tolist())
    assert seen == {0, 1, 2, 3}
    assert state is not None
    assert state[0] == 100  # the policy saw every step


def test_explorers_may_stop_in_the_middle_of_a_game() -> None:
    x, state = torch.zeros(8, 1), None
    for explorers in (3, 3, 0, 0):
        act, state = Exploring(counting, Sticky(4, Rng(0)), explorers)(x, state, NOBODY)
        assert (act[explorers:] == 9).all()
    assert state is not None
    assert state[0] == 4  # the policy remembers all of it


def test_how_many_envs_explore() -> None:
    stopping = Explorers(EnvConfig(num_envs=4, explorers=2, explore_steps=100))
    assert [stopping.count(steps) for steps in (0, 99, 100, 101)] == [2, 2, 0, 0]
    lasting = Explorers(EnvConfig(num_envs=4, explorers=9))
    assert [lasting.count(steps) for steps in (0, 10_000)] == [3, 3]  # one is left for the policy


def test_a_game_that_has_been_explored_in_is_never_scored() -> None:
    explorers = Explorers(EnvConfig(num_envs=3, explorers=2))
    game = [Episode(score=1.0, length=5, env=env) for env in range(3)]
    assert explorers.own(game, 2) == [game[2]]
    assert explorers.own([game[1], game[2]], 0) == [game[2]]  # begun by an explorer, ended by the policy
    assert explorers.own([game[0]], 0) == []  # the same, ended later
    assert explorers.own(game, 0) == game


def test_explorers_are_dreamed_of_but_not_scored(tmp_path: Path) -> None:
    """Catch with a policy that always moves left: what the other env did must be something else."""
    agent = JEDI(
        "catch", preset="tiny", overrides=["env.explorers=1", "env.epsilon=0", "schedule.first_epoch.env_steps=200"]
    )
    with torch.no_grad():
        agent.actor_critic.actor.bias[0] = 100.0
    agent.learn(env_steps=200, run_dir=tmp_path / "run", progress=False)
    assert agent._trainer is not None
    replay: Replay = agent._trainer.replay
    explored, followed = replay.columns["act"][: replay.count].T
    assert set(followed.tolist()) == {0}
    assert set(explored.tolist()) == {0, 1, 2}
    assert {episode.env for episode in agent._trainer.monitor.episodes} == {1}
    np.testing.assert_array_less(0, len(agent._trainer.monitor.episodes))


def test_explorers_follow_the_policy_and_are_scored_after_explore_steps(tmp_path: Path) -> None:
    overrides = ["env.explorers=1", "env.explore_steps=320", "env.epsilon=0", "schedule.first_epoch.env_steps=400"]
    agent = JEDI("catch", preset="tiny", overrides=overrides)
    with torch.no_grad():
        agent.actor_critic.actor.bias[0] = 100.0
    agent.learn(env_steps=400, run_dir=tmp_path / "run", progress=False)
    assert agent._trainer is not None
    replay: Replay = agent._trainer.replay
    explored = np.flatnonzero(replay.columns["act"][: replay.count, 0])  # the policy takes action 0
    assert 120 < explored[-1] < 200  # of two hundred rows and some, about the first 160
    began = np.flatnonzero(replay.columns["step"][: replay.count, 0] == 0)
    scored = [episode.env for episode in agent._trainer.monitor.episodes]
    alone = began >= 160  # the row of the change, or one of the few before it
    assert 1 <= scored.count(0) <= alone[:-1].sum()  # the last is running, that of the change is mixed
    assert scored.count(1) > scored.count(0)


def test_at_least_one_env_follows_the_policy(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", overrides=["env.explorers=5", "schedule.first_epoch.env_steps=200"])
    agent.learn(env_steps=200, run_dir=tmp_path / "run", progress=False)
    assert agent._trainer is not None
    assert {episode.env for episode in agent._trainer.monitor.episodes} == {1}
