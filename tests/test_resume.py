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
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from jedi_sdk import JEDI, checkpoint
from jedi_sdk.health import RunError
from jedi_sdk.replay import ReplayError
from jedi_sdk.runlog import read_log

SETTINGS = [
    "schedule.env_steps=256",
    "schedule.epoch.denoiser=6",
    "schedule.epoch.heads=6",
    "schedule.epoch.actor_critic=6",
    "run.keep_checkpoints=1000",
]
TRAIN = [sys.executable, "-m", "jedi_cli", "train"]


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    silent = {"env": {**os.environ, "OMP_NUM_THREADS": "1"}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*TRAIN, *arguments], **silent, **options)


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


def test_without_what_was_collected_a_run_does_not_go_on(tmp_path: Path) -> None:
    """A run was copied without its replay, by far its largest part: nobody may learn from the zeros in its place."""
    JEDI("catch", preset="tiny").learn(run_dir=tmp_path / "run", progress=False)
    replay = tmp_path / "run" / "replay"
    frames = (replay / "obs.bin").read_bytes()
    (replay / "obs.bin").write_bytes(frames[: len(frames) // 2])
    with pytest.raises(ReplayError, match=r"obs\.bin has .* jedi train --init"):
        JEDI.resume(tmp_path / "run")
    shutil.rmtree(replay)
    with pytest.raises(ReplayError, match=r"obs\.bin has 0 bytes"):
        JEDI.resume(tmp_path / "run")
    assert not replay.exists()
    assert JEDI.from_pretrained(tmp_path / "run").evaluate(1, progress=False).episodes == 1


def test_a_run_of_another_device_goes_on_here(tmp_path: Path) -> None:
    """The state of a generator on a GPU is shorter, and no CPU can take it."""
    agent = JEDI("catch", preset="tiny").learn(run_dir=tmp_path / "run", progress=False)
    trainer = checkpoint.find(tmp_path / "run") / "trainer.pt"
    state = torch.load(trainer, weights_only=True)
    torch.save({**state, "rng": torch.arange(16, dtype=torch.uint8)}, trainer)
    manifest = trainer.with_name("manifest.json")
    sums = json.loads(manifest.read_text()) | {"trainer.pt": checkpoint.sha256(trainer)}
    manifest.write_text(json.dumps(sums))
    resumed = JEDI.resume(tmp_path / "run").learn(env_steps=agent.config.schedule.env_steps + 16, progress=False)
    assert resumed.config.schedule.env_steps == agent.config.schedule.env_steps + 16


GAME = """
import time
from pathlib import Path

import gymnasium
import numpy as np


class Slow(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        Path("played").touch()
        time.sleep(0.02)
        return self.observation_space.sample(), 0.0, False, False, {}


gymnasium.register("Slow-v0", Slow)
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_a_terminal_while_collecting_saves_first(tmp_path: Path, kind: signal.Signals) -> None:
    """It reaches the games' own processes as well, and what they have shown must not be lost for it."""
    (tmp_path / "slow.py").write_text(GAME)
    settings = ("env.num_envs=2", "schedule.first_epoch.env_steps=2000")  # 20 seconds, and a second until it listens
    words = [word for setting in settings for word in ("--set", setting)]
    process = start(
        "slow:Slow-v0", "--preset", "tiny", "--run-dir", "run", *words, cwd=tmp_path, start_new_session=True
    )
    while not (tmp_path / "played").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, kind)
    assert process.wait(timeout=60) == 130
    progress = json.loads((checkpoint.find(tmp_path / "run") / "progress.json").read_text())
    assert progress["counters"]["env_steps"] > 0


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


def test_what_another_process_has_gone_on_with_is_not_undone(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    JEDI("catch", preset="tiny").learn(run_dir=run_dir, progress=False)
    late, first = (JEDI.resume(run_dir) for _ in range(2))
    first.learn(env_steps=96, progress=False)
    kept = [path.name for path in checkpoint.list_checkpoints(run_dir)], (run_dir / "log.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"another process has gone on with the run in .*jedi train --resume"):
        late.learn(env_steps=64, progress=False)
    assert kept == ([path.name for path in checkpoint.list_checkpoints(run_dir)], (run_dir / "log.jsonl").read_bytes())
    first.learn(env_steps=112, progress=False)  # who went on may go on


def test_what_has_failed_is_not_the_last_good_checkpoint(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny").learn(run_dir=tmp_path / "run", progress=False)
    assert agent.origin is not None
    with torch.no_grad():
        next(agent.world_model.denoiser.parameters()).fill_(torch.nan)
    with pytest.raises(RunError, match=r"no longer finite"):
        agent.learn(env_steps=96, progress=False)
    assert agent.origin is None
    assert agent.evaluate(1, progress=False).checkpoint is None
    with pytest.raises(RunError, match=r"no longer finite"):  # and not: another process has gone on
        agent.learn(env_steps=96, progress=False)


def test_a_run_that_overshot_is_extended_epoch_by_epoch(tmp_path: Path) -> None:
    """Eight envs take their steps together, so that a run has a few more than its schedule says."""
    settings = ["env.num_envs=8", "schedule.env_steps=57", "schedule.first_epoch.env_steps=25"]
    agent = JEDI("catch", preset="tiny", overrides=settings).learn(run_dir=tmp_path / "run", progress=False)
    before = agent._trainer.counters.env_steps  # type: ignore[union-attr]
    assert before > 57
    agent.learn(env_steps=160, progress=False)
    steps = [row["env_steps"] for row in read_log(tmp_path / "run") if row["kind"] == "epoch"]
    assert max(np.diff(steps)) <= 16 + 8  # an epoch's, and what eight envs take beyond it
    assert steps[-1] >= 160
