"""Kill and resume, with a real process and a real SIGKILL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from jedi_sdk import JEDI, checkpoint
from jedi_sdk.runlog import read_log

SETTINGS = [
    "schedule.env_steps=256",
    "schedule.epoch.denoiser=6",
    "schedule.epoch.heads=6",
    "schedule.epoch.actor_critic=6",
    "run.keep_checkpoints=1000",
]
TRAIN = [sys.executable, "-m", "jedi_cli", "train"]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*TRAIN, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(*arguments: str) -> None:
    assert start(*arguments).wait(timeout=300) == 0


def fingerprint(run_dir: Path) -> dict[str, np.ndarray]:
    return load_file(checkpoint.find(run_dir) / "model.safetensors")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run killed at a random moment behind its third checkpoint."""
    run_dir = tmp_path_factory.mktemp("runs") / "killed"
    overrides = [word for setting in SETTINGS for word in ("--set", setting)]
    process = start("catch", "--preset", "tiny", "--run-dir", str(run_dir), *overrides)
    give_up = time.monotonic() + 120
    while len(checkpoint.list_checkpoints(run_dir)) < 3:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < give_up, "no third checkpoint in two minutes"
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return run_dir


def test_a_killed_run_ends_like_one_that_was_not(killed: Path, tmp_path: Path) -> None:
    """From the same checkpoint: once with all that the killed process left behind it, once without."""
    found = checkpoint.find(killed)
    progress = json.loads((found / "progress.json").read_text())
    clean = tmp_path / "clean"
    shutil.copytree(killed, clean)
    behind = {"obs": 64 * 64 * 3, "act": 2, "rew": 1, "end": 1, "trunc": 1, "dead": 1, "step": 4}
    for name, size in behind.items():  # in the clean copy no row was ever written behind the checkpoint
        path = clean / "replay" / f"{name}.bin"
        total = path.stat().st_size
        with open(path, "r+b") as file:
            file.truncate(progress["replay_rows"] * 2 * size)  # two envs
            file.truncate(total)
    with open(clean / "log.jsonl", "r+b") as file:
        file.truncate(progress["log_size"])
    finish("--resume", str(killed))
    finish("--resume", str(clean))
    one, other = fingerprint(killed), fingerprint(clean)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert checkpoint.find(killed).name == checkpoint.find(clean).name
    for run in (killed, clean):
        steps = [record["step"] for record in read_log(run) if record["kind"] == "epoch"]
        assert steps == sorted(set(steps)), "what was logged behind the checkpoint must be cut off"


def test_resuming_goes_on_from_the_counters(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", overrides=["schedule.final_epochs=0"])
    agent.learn(run_dir=tmp_path / "run", progress=False)
    before = agent._trainer.counters  # pyright: ignore[reportOptionalMemberAccess]
    resumed = JEDI.resume(tmp_path / "run")
    trainer = resumed._trainer
    assert trainer is not None
    assert trainer.counters == before
    assert trainer.replay.count == agent._trainer.replay.count  # pyright: ignore[reportOptionalMemberAccess]
    resumed.learn(env_steps=before.env_steps + 32, progress=False)
    assert trainer.counters.env_steps >= before.env_steps + 32
    assert resumed.config.schedule.env_steps == before.env_steps + 32


def test_ctrl_c_saves_first(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    command = ["catch", "--preset", "tiny", "--run-dir", str(run_dir), "--env-steps", "100000"]
    process = start(*command)
    while not checkpoint.list_checkpoints(run_dir):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    progress = json.loads((checkpoint.find(run_dir) / "progress.json").read_text())
    counters = progress["counters"]
    serial = counters["env_steps"] + counters["denoiser"] + counters["heads"] + counters["actor_critic"]
    assert checkpoint.find(run_dir).name == f"step-{serial:09d}"
