"""The cost of a dream: parts add up, and the JSON has its schema."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk import JEDI
from jedi_sdk.benchmark.dream import Stopwatch, _anywhere, fresh_agent, measure_dream
from jedi_sdk.dream import Dream


def test_a_stopwatch_notes_what_a_call_took() -> None:
    watch = Stopwatch(time.sleep, torch.device("cpu"))
    watch(0.02)
    watch(0.03)
    assert 0.05 <= watch.take() < 0.5
    assert watch.take() == 0


def test_parts_are_parts_of_the_whole_and_the_agent_is_left_as_it_was() -> None:
    agent = JEDI("catch", preset="tiny", device="cpu")
    imagine, told = Dream.imagine, []
    cost = measure_dream(agent, num_envs=32, steps=10, horizon=5, report=lambda done, what=None: told.append(what))
    assert 0 < cost.heads < cost.world_model
    assert 0 < cost.denoiser < cost.world_model
    assert set(cost.adaptors) == {"gymnasium", "stable-baselines3", "tianshou", "torchrl"}
    assert all(0 < seconds < 1 for seconds in cost.adaptors.values())
    assert cost.single > cost.world_model
    assert told == [*(f"through {name}" for name in cost.adaptors), "one by one"]
    assert "imagine_next" not in vars(agent.world_model)
    assert Dream.imagine is imagine
    agent.dream_env(2, starts=None, autoreset_mode="Disabled")


def test_fresh_networks_dream_on() -> None:
    agent = fresh_agent("catch", "tiny", device="cpu")
    envs = agent.dream_env(16, 50, starts=_anywhere(agent))
    envs.reset(seed=0)
    assert not any(envs.step(np.zeros(16, np.int64))[2].any() for _ in range(20))


def test_the_command_writes_what_it_measured(tmp_path: Path) -> None:
    arguments = ["bench", "dream", "--game", "catch", "--preset", "tiny", "--steps", "10", "--num-envs", "3"]
    said = CliRunner().invoke(app, [*arguments, "--device", "cpu", "--json", str(tmp_path / "dream.json")])
    assert said.exit_code == 0, said.output
    assert "dream steps a second" in said.output
    figures = json.loads((tmp_path / "dream.json").read_text())
    assert figures["num_envs"] == 3
    assert figures["game"] == "catch"
    assert figures["steps_per_second"] > 0
