"""A short learning run on Catch: the dream becomes true; a policy trained only in it, and one that only plans in it,
play the real game.

Known answers: a random policy returns -3/4 on average, the best one 1; repeating the last latent has ratio 1.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from jedi_sdk import JEDI

RANDOM_RETURN, RANDOM_STD = -0.75, 0.66
SHORT = [
    "schedule.env_steps=4000",
    "schedule.first_epoch.env_steps=4000",
    "schedule.first_epoch.denoiser=300",
    "schedule.first_epoch.heads=300",
    "schedule.first_epoch.actor_critic=250",
    "schedule.final_epochs=0",
]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    return JEDI("catch", overrides=SHORT, seed=0).learn(run_dir=run_dir, progress=False)


def test_catch_is_learned_in_dreams(agent: JEDI) -> None:
    report = agent.fidelity(contexts=500, horizon=5, progress=False)
    assert report.open_loop.ratio[0] < 0.5
    assert report.open_loop.end.balanced_accuracy > 0.9
    result = agent.evaluate(episodes=200, deterministic=True, progress=False)
    assert result.mean - 4 * result.stderr > RANDOM_RETURN, "no better than chance"


def test_planning_in_dreams_plays_better_than_chance(agent: JEDI) -> None:
    """As ``examples/05_plan.py`` does, with the world model alone."""
    example = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "05_plan.py"))
    real, rng, games = agent.real_env(8), np.random.default_rng(0), 16
    dream = agent.dream_env(8, horizon=7, reward="mean", sampler={"steps": 1})
    score = example["play"](real, games, lambda: example["plan"](dream, real, 48, rng))
    assert score - 4 * RANDOM_STD / games**0.5 > RANDOM_RETURN, "no better than chance"
