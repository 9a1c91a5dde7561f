"""The folder that others load: what it says of the agent, and what it must not make anybody do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
import torch
from torch import nn

from jedi_sdk import JEDI, RunError
from jedi_sdk.checkpoint import PUBLIC_FILES, sha256
from jedi_sdk.hub import Found, Hub, past

from .server import HubServer, Repo

ROOT = Path(__file__).parents[2]


class Patches(nn.Module):
    latent_shape = (5, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 8, stride=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_results_say_how_long_was_trained_and_on_what(agent: JEDI, exported: Path) -> None:
    assert agent.origin is not None
    counters = json.loads((agent.origin.folder / "progress.json").read_text())["counters"]
    results = results_of(exported)
    assert results["env_steps"] == counters["env_steps"]
    assert results["updates"] == counters["denoiser"] + counters["heads"] + counters["actor_critic"]
    assert results["training_seconds"] == counters["seconds"]
    assert results["training_command"] == "jedi train catch --preset tiny --objective default --seed 1"
    assert results["torch"] == torch.__version__
    assert {"cpu", "cores", "gpu"} == set(results["hardware"])
    assert len(results["scores"]) == len(results["lengths"]) == results["episodes"] == 10


def test_exported_again_it_still_knows(exported: Path, tmp_path: Path) -> None:
    again = JEDI.from_pretrained(exported, device="cpu").export(tmp_path / "again", episodes=2, progress=False)
    assert {path.name for path in again.iterdir()} == set(PUBLIC_FILES)
    for name in ("env_steps", "updates", "training_seconds", "training_command"):
        assert results_of(again)[name] == results_of(exported)[name]


def test_only_a_runs_own_curve_is_taken(exported: Path, tmp_path: Path) -> None:
    """The folder above the one that an agent lies in may be anybody's."""
    folder = tmp_path / "work" / "agents" / "mine"
    JEDI.from_pretrained(exported, device="cpu").save_pretrained(folder)
    (tmp_path / "work" / "learning_curve.png").write_bytes(b"another's")
    again = JEDI.from_pretrained(folder, device="cpu").export(tmp_path / "again", episodes=0)
    assert not (again / "learning_curve.png").exists()


def test_what_a_checkpoint_knows_outlives_it(agent: JEDI, tmp_path: Path) -> None:
    """A run that goes on deletes the checkpoint while the games are played."""
    assert agent.run_dir is not None
    run = shutil.copytree(agent.run_dir, tmp_path / "run")
    loaded = JEDI.from_pretrained(run, device="cpu")
    assert loaded.origin is not None
    counters = json.loads((loaded.origin.folder / "progress.json").read_text())["counters"]
    known = past(loaded.origin)
    shutil.rmtree(loaded.origin.folder)
    assert known.trained["env_steps"] == counters["env_steps"]
    assert known.curve == run / "learning_curve.png"


def test_loading_leaves_the_threads_of_the_process_alone_and_training_does_not(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    wanted = [f"run.threads={threads + 1}"]
    JEDI("catch", preset="tiny", overrides=wanted, device="cpu").save_pretrained(tmp_path / "mine")
    agent = JEDI.from_pretrained(tmp_path / "mine", device="cpu")
    assert agent.config.run.threads == threads + 1
    assert torch.get_num_threads() == threads
    try:
        agent.learn(run_dir=tmp_path / "run", progress=False)
        assert torch.get_num_threads() == min(threads + 1, os.cpu_count() or 1)
    finally:
        torch.set_num_threads(threads)


def test_a_commit_is_of_this_repository_alone(tmp_path: Path) -> None:
    """A package that was installed inside of somebody's repository is no part of it."""
    site = tmp_path / "project" / ".venv"
    shutil.copytree(ROOT / "jedi_sdk", site / "jedi_sdk", ignore=shutil.ignore_patterns("__pycache__", "zoo"))
    git = ["git", "-C", str(tmp_path / "project"), "-c", "user.name=me", "-c", "user.email=me@here"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], check=True)
    ask = "import jedi_sdk.hub.machine as m; print(m.__file__, m.machine('cpu')['commit'])"
    env = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", ask], env=env, cwd=tmp_path, text=True, capture_output=True, check=True
    )
    assert done.stdout.split() == [str(site / "jedi_sdk" / "hub" / "machine.py"), "None"]


def test_settings_of_ones_own_are_in_the_command(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", overrides=["actor_critic.horizon=5", "encoder.channels=[8, 6]"], device="cpu")
    folder = agent.export(tmp_path / "mine", episodes=1, progress=False)
    assert results_of(folder)["training_command"] == (
        "jedi train catch --preset tiny --objective default --seed 0 --set 'encoder.channels=[8, 6]' "
        "--set actor_critic.horizon=5"
    )
    assert results_of(folder)["env_steps"] is None
    assert results_of(folder)["stderr"] is None  # of one game
    assert "+/-" not in (folder / "README.md").read_text()


def test_without_games_there_is_no_score(agent: JEDI, tmp_path: Path) -> None:
    folder = agent.export(tmp_path / "mine", episodes=0, progress=False)
    assert not (folder / "results.json").exists()
    card = (folder / "README.md").read_text()
    assert "## Score" not in card
    assert "model-index" not in card
    assert 'from_pretrained("./mine")' in card


def test_an_agent_of_python_code(tmp_path: Path) -> None:
    """A game that is a function, and an encoder that is a class: no command could repeat it, and none is claimed."""

    def breakout() -> gymnasium.Env:
        """Named like a game whose scores are known, which it is not."""
        return gymnasium.make("JEDI/Catch-v0")

    agent = JEDI(breakout, preset="tiny", encoder=Patches(), device="cpu")
    folder = agent.export(tmp_path / "mine", episodes=2, progress=False)
    results = results_of(folder)
    assert [results[name] for name in ("training_command", "hns", "random", "human")] == [None] * 4
    assert "jedi train" not in (folder / "README.md").read_text()
    again = JEDI.from_pretrained(folder, encoder=Patches(), env=lambda: gymnasium.make("JEDI/Catch-v0"), device="cpu")
    assert again.evaluate(2, progress=False).scores == results_of(folder)["scores"]


def test_a_strangers_module_is_not_imported(
    server: HubServer, hub: Hub, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    files = {path.name: path.read_bytes() for path in exported.iterdir()}
    card = json.loads(files["config.json"])
    card["game"] = card["config"]["game"] = "trap:Game-v0"
    (tmp_path / "config.json").write_text(json.dumps(card))
    manifest = json.loads(files["manifest.json"]) | {"config.json": sha256(tmp_path / "config.json")}
    files |= {"config.json": (tmp_path / "config.json").read_bytes(), "manifest.json": json.dumps(manifest).encode()}
    server.repos["me/trap"] = Repo()
    server.repos["me/trap"].commit(files)

    def load(**options: object) -> JEDI:
        place = {"endpoint": hub.endpoint, "cache_dir": hub.cache_dir, "device": "cpu"}
        return JEDI.from_pretrained("me/trap", **place, **options)  # type: ignore[arg-type]

    with pytest.raises(RunError, match="'trap' would be imported"):
        load().evaluate(1, progress=False)
    assert load(env=lambda: gymnasium.make("JEDI/Catch-v0")).evaluate(2, progress=False).episodes == 2
    assert not (tmp_path / "sprung").exists()


def test_a_strangers_figures_are_taken_only_where_they_are_amounts(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "theirs")
    told = {**results_of(folder), "env_steps": float("inf"), "updates": -3, "training_seconds": float("nan")}
    (folder / "results.json").write_text(json.dumps(told))
    assert past(Found(folder)).trained == {"env_steps": None, "updates": None, "training_seconds": None}
