"""Sizes: the paper's where it states them, and the schedule added up."""

from __future__ import annotations

import pytest

from jedi_sdk.config import ScheduleConfig, Work
from jedi_sdk.presets import PRESETS
from jedi_sdk.schedule import total_work
from jedi_sdk.sizes import parameter_counts

PAPER = {"encoder": 0.03e6, "denoiser": 4.33e6, "heads": 5.88e6, "actor_critic": 3.24e6}


def test_atari100k_is_as_big_as_the_papers_agent() -> None:
    counts = parameter_counts(PRESETS["atari100k"], num_actions=4)
    assert sum(counts.values()) == pytest.approx(13.5e6, rel=0.01)
    for part in ("denoiser", "heads", "actor_critic"):
        assert counts[part] == pytest.approx(PAPER[part], rel=0.05)
    assert counts["encoder"] == pytest.approx(PAPER["encoder"], abs=0.005e6)  # known to two digits only


def test_small_is_small() -> None:
    assert sum(parameter_counts(PRESETS["small"]).values()) <= 5e6


def test_a_run_is_the_first_epoch_the_others_and_the_final_ones() -> None:
    schedule = ScheduleConfig(
        env_steps=250, first_epoch=Work(100, 10, 20, 30), epoch=Work(100, 1, 2, 3), final_epochs=4
    )
    assert total_work(schedule) == Work(env_steps=250, denoiser=16, heads=32, actor_critic=48)
