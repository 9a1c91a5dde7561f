"""The folder that others load: what it says of the agent, and what it must not make anybody do."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import pytest
import torch
from torch import nn

from jedi_sdk import JEDI, RunError
from jedi_sdk.checkpoint import PUBLIC_FILES, sha256
from jedi_sdk.hub import Hub

from .server import HubServer, Repo


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


def test_settings_of_ones_own_are_in_the_command(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", overrides=["actor_critic.horizon=5", "encoder.channels=[8, 6]"], device="cpu")
    folder = agent.export(tmp_path / "mine", episodes=1, progress=False)
    assert results_of(folder)["training_command"] == (
        "jedi train catch --preset tiny --objective default --seed 0 --set 'encoder.channels=[8, 6]' "
        "--set actor_critic.horizon=5"
    )
    assert results_of(folder)["env_steps"] is None


def test_without_games_there_is_no_score(agent: JEDI, tmp_path: Path) -> None:
    folder = agent.export(tmp_path / "mine", episodes=0, progress=False)
    assert not (folder / "results.json").exists()
    card = (folder / "README.md").read_text()
    assert "## Score" not in card
    assert "model-index" not in card
    assert 'from_pretrained("./mine")' in card


def test_an_agent_of_python_code(tmp_path: Path) -> None:
    """A game that is a function, and an encoder that is a class: no command could repeat it, and none is claimed."""
    agent = JEDI(lambda: gymnasium.make("JEDI/Catch-v0"), preset="tiny", encoder=Patches(), device="cpu")
    folder = agent.export(tmp_path / "mine", episodes=2, progress=False)
    assert results_of(folder)["training_command"] is None
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
