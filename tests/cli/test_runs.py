"""The command line on real runs: train, resume, eval; and what a shell user reads when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

JEDI = [sys.executable, "-m", "jedi_cli"]


def jedi(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run([*JEDI, *arguments], capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    done = jedi("train", "catch", "--preset", "tiny", "--run-dir", str(folder), "--seed", "2")
    assert done.returncode == 0, done.stderr
    assert f"jedi eval {folder}" in done.stdout
    return folder


def test_eval_writes_what_it_promises(run_dir: Path, tmp_path: Path) -> None:
    out, film = tmp_path / "out.json", tmp_path / "out.mp4"
    done = jedi("eval", str(run_dir), "--episodes", "10", "--greedy", "--video", str(film), "--json", str(out))
    assert done.returncode == 0, done.stderr
    assert "mean return" in done.stdout
    result = json.loads(out.read_text())
    promised = ["game", "seed", "episodes", "mean", "std", "stderr", "min", "max", "hns", "lengths", "checkpoint"]
    assert set(promised) <= set(result)
    assert result["episodes"] == len(result["lengths"]) == 10
    assert result["seed"] == 2
    assert film.stat().st_size > 1000


def test_of_one_game_no_error_is_known(run_dir: Path, tmp_path: Path) -> None:
    done = jedi("eval", str(run_dir), "--episodes", "1", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    assert "error unknown" in done.stdout
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["std"], result["stderr"]) == (None, None)


def test_eval_fidelity(run_dir: Path) -> None:
    done = jedi("eval", str(run_dir), "--fidelity", "--contexts", "50", "--horizon", "3")
    assert done.returncode == 0, done.stderr
    assert (run_dir / "fidelity.png").stat().st_size > 10_000
    assert json.loads((run_dir / "fidelity.json").read_text())


def test_resume_further(run_dir: Path) -> None:
    done = jedi("train", "--resume", str(run_dir), "--env-steps", "96")
    assert done.returncode == 0, done.stderr
    assert "env steps 96" in done.stderr


def test_begin_with_the_weights_of_another_run(run_dir: Path, tmp_path: Path) -> None:
    done = jedi("train", "--init", str(run_dir), "--seed", "5", "--run-dir", str(tmp_path / "next"))
    assert done.returncode == 0, done.stderr
    assert "seed 5" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "breakot"), "breakout"),
        (("train", "catch", "--preset", "smal"), "small"),
        (("train", "catch", "--set", "denoiser.chanels=9"), "denoiser.channels"),
        (("train", "CartPole-v1"), "image"),
        (("train", "--resume", "/nowhere/at/all"), "/nowhere/at/all"),
        (("eval", "/nowhere/at/all"), "/nowhere/at/all"),
        (("train", "catch", "--set", "game=pong"), "jedi train pong"),
        (("train", "catch", "--preset", "tiny", "--env-steps", "2"), "no transition"),
        (("train", "catch", "--device", "gpu"), "cuda"),
        (("train", "catch", "--device", "cuda"), "cpu"),
        (("train", "catch", "--env-steps", "40", "--set", "schedule.env_steps=96"), "say the same thing"),
        (("eval", "catch", "--fidelity", "--episodes", "3"), "--episodes is about the play"),
        (("eval", "catch", "--contexts", "3"), "--contexts is about the dream"),
        (("bench", "dream", "catch", "--preset", "small"), "--preset is of fresh networks, and catch has its own"),
        (("bench", "variants", "--seeds", ""), "nothing to compare"),
        (("train", "./my_games.py:Game-v0"), "is no module's name"),
        (("eval", "catch", "--seed", str(2**63)), "--seed"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    fresh = ("--run-dir", str(tmp_path / "run")) if arguments[0] == "train" and "--resume" not in arguments else ()
    done = jedi(*arguments, *fresh)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_read_only_place(tmp_path: Path) -> None:
    """A place where not even root may write."""
    done = jedi("train", "catch", "--preset", "tiny", "--run-dir", "/sys/run")
    assert done.returncode == 2
    assert "/sys/run" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval", "catch", "--episodes", "1", "--json"),
        ("eval", "catch", "--episodes", "1", "--video"),
        ("dream", "catch", "--out"),
        ("bench", "dream", "catch", "--json"),
        ("bench", "scaling", "--plot"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = jedi(*arguments, str(tmp_path))
    assert done.returncode == 2
    assert "is a folder; name a file in it" in done.stderr.replace("\n", " ")
    (tmp_path / "file").touch()
    done = jedi(*arguments, str(tmp_path / "file" / "out.png"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_file_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = jedi("train", "catch", "--preset", "tiny", "--run-dir", str(tmp_path / "file"))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert (tmp_path / "file").is_file()


def test_a_damaged_checkpoint(run_dir: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run_dir, copy)
    newest = sorted((copy / "checkpoints").iterdir())[-1]
    (newest / "model.safetensors").write_bytes(b"not a tensor")
    done = jedi("eval", str(copy))
    assert done.returncode == 2
    assert "damaged" in done.stderr


def test_what_lies_here_hides_no_module_of_others(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("raise SystemExit('not this one')")
    (tmp_path / "owngame.py").write_text(
        "import gymnasium\ngymnasium.register('Own-v0', 'jedi_sdk.envs.catch:CatchEnv')"
    )
    command = [
        Path(sys.executable).with_name("jedi"),
        "train",
        "owngame:Own-v0",
        "--preset",
        "tiny",
        "--run-dir",
        "run",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_where_fidelity_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "fidelity.png").mkdir()
    command = [*JEDI, "eval", "catch", "--fidelity", "--contexts", "1000000"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 2
    assert "fidelity.png is a folder" in done.stderr.replace("\n", " ")
