"""Every example is run as a reader would run it: a process of its own, the smallest preset, a real game."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parent.parent / "examples"
MOST_LINES = 45
LOADS_BY_NAME = "01_load_and_act.py"
WHOLE_ALGORITHM = 115  # PPO in one file


def run(name: str, folder: Path, *arguments: str) -> str:
    """What the example prints, run in ``folder`` with ``runs/it`` as its run folder."""
    where = () if name == LOADS_BY_NAME else ("--run-dir", "runs/it")
    command = [sys.executable, str(EXAMPLES / name), *where, *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the second example ran, and what it printed."""
    folder = tmp_path_factory.mktemp("second")
    return folder, run("02_train.py", folder, "--preset", "tiny")


def test_the_second_trains_evaluates_and_films(trained: tuple[Path, str]) -> None:
    folder, printed = trained
    run_dir = folder / "runs" / "it"
    score = re.search(r"mean return of 100 real games: (-?\d\.\d+) ± (\d\.\d+)", printed)
    assert score
    assert -1 <= float(score[1]) <= 1
    for name in ("learning_curve.png", "agent.mp4"):
        assert f"runs/it/{name}" in printed
        assert (run_dir / name).stat().st_size > 1_000
    log = [json.loads(line) for line in (run_dir / "log.jsonl").read_text().splitlines()]
    assert log[-1]["env_steps"] == yaml.safe_load((run_dir / "config.yaml").read_text())["schedule"]["env_steps"]
    assert (run_dir / "agent.mp4").read_bytes()[4:8] == b"ftyp"  # what an mp4 begins with


def test_the_first_plays_whole_episodes(trained: tuple[Path, str], tmp_path: Path) -> None:
    assert run(LOADS_BY_NAME, tmp_path, "--episodes", "3") == "episode 0: 1\nepisode 1: 1\nepisode 2: 1\n"
    printed = run(LOADS_BY_NAME, trained[0], "--agent", "runs/it", "--episodes", "3")
    assert re.fullmatch(r"episode 0: -?1\nepisode 1: -?1\nepisode 2: -?1\n", printed)


def test_the_third_trains_on_a_game_of_its_own(tmp_path: Path) -> None:
    printed = run("03_own_env.py", tmp_path, "--preset", "tiny", "--env-steps", "80")
    assert 0 <= float(printed.splitlines()[-1]) <= 1
    config = yaml.safe_load((tmp_path / "runs/it/config.yaml").read_text())
    assert config["game"].startswith("callable:")
    assert config["schedule"]["env_steps"] == 80
    assert list((tmp_path / "runs/it/checkpoints").glob("step-*/model.safetensors"))


def test_the_fourth_saves_and_loads_an_encoder_of_its_own(tmp_path: Path) -> None:
    printed = run("04_own_encoder.py", tmp_path, "--preset", "tiny")
    assert "encoder=Patches(...)" in printed  # loading without it says what to pass
    assert printed.endswith("loaded: (8, 4, 4)\n")
    card = json.loads((tmp_path / "runs/it/agent/config.json").read_text())
    assert card["custom"] == {"encoder": "Patches"}


def test_the_fifth_plans_in_the_dream_and_plays_the_real_game(trained: tuple[Path, str]) -> None:
    printed = run("05_plan.py", trained[0], "--games", "8", "--futures", "4")
    scores = re.fullmatch(r"at random: (-?\d\.\d\d)\nplanned: +(-?\d\.\d\d)\n", printed)
    assert scores
    assert all(-1 <= float(score) <= 1 for score in scores.groups())


def test_the_sixth_dreams_on_from_frames_of_its_own(trained: tuple[Path, str]) -> None:
    printed = run("06_own_frames.py", trained[0])
    assert re.fullmatch(r"always action 0: -?\d\nalways action 1: -?\d\nalways action 2: -?\d\n", printed)


def test_the_seventh_trains_ppo_in_the_dream_and_plays_the_real_game(trained: tuple[Path, str]) -> None:
    printed = run("07_sb3.py", trained[0], "--steps", "1024", "--games", "8")
    scores = re.fullmatch(r"before: (-?\d\.\d\d) ± \d\.\d\d\nafter: +(-?\d\.\d\d) ± \d\.\d\d\n", printed)
    assert scores
    assert all(-1 <= float(score) <= 1 for score in scores.groups())


def test_the_eighth_to_tenth_train_in_the_dream_and_play_the_real_game(trained: tuple[Path, str]) -> None:
    for name, steps in (("08_tianshou.py", "640"), ("09_tianshou_highlevel.py", "1024"), ("10_torchrl.py", "1024")):
        printed = run(name, trained[0], "--steps", steps, "--games", "20")
        score = re.search(r"^mean score of 20 real games: (-?\d\.\d\d)$", printed, re.MULTILINE)
        assert score, name
        assert -1 <= float(score[1]) <= 1


def test_the_eleventh_trains_a_ppo_of_its_own_in_the_dream_and_plays_the_real_game(trained: tuple[Path, str]) -> None:
    printed = run("11_ppo.py", trained[0], "--steps", "2048", "--games", "8")
    scores = re.fullmatch(r"before: (-?\d\.\d\d)\nafter:  (-?\d\.\d\d)\n", printed)
    assert scores
    assert all(-1 <= float(score) <= 1 for score in scores.groups())


def test_examples_are_short_and_all_of_them_are_tested() -> None:
    examples = sorted(EXAMPLES.glob("*.py"))
    assert [int(example.name[:2]) for example in examples] == list(range(1, 12))
    for example in examples:
        most = WHOLE_ALGORITHM if example.name == "11_ppo.py" else MOST_LINES
        assert len(example.read_text().splitlines()) <= most, example.name
        assert example.name in Path(__file__).read_text()
