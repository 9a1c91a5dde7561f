"""``jedi models``, ``pull``, ``export`` and ``push``, as typed; and names where other commands take a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jedi_cli.main import app
from jedi_sdk import JEDI
from jedi_sdk.hub import entries

from .server import HubServer, Repo


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def jedi(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300", **environment})


def test_models_lists_the_zoo() -> None:
    done = jedi("models")
    assert done.exit_code == 0, done.output
    for entry in entries().values():
        (line,) = [line for line in done.stdout.splitlines() if f" {entry.name} " in line]
        assert all(cell in line for cell in entry.row())
        assert "embedded" in line


def test_export_push_pull_and_play(server: HubServer, agent: JEDI, tmp_path: Path) -> None:
    done = jedi("export", agent.run_dir or "", "mine", "--episodes", "6", "--half", "--starts", "5")
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "mine" / "results.json").read_text())
    done = jedi(*results["command"].split()[1:], "--json", "again.json")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "again.json").read_text())["scores"] == results["scores"]

    on_the_hub = ("--endpoint", server.endpoint)
    done = jedi("push", "./mine", "me/mine", "--private", "--tag", "v1", *on_the_hub, HF_TOKEN="hf_good")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"{server.endpoint}/me/mine/commit/{server.repos['me/mine'].refs['v1']}"
    done = jedi("pull", "me/mine", "--to", "theirs", *on_the_hub, HF_TOKEN="hf_good")
    assert done.exit_code == 0, done.output
    assert "jedi eval ./theirs" in done.stdout
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("mine", "theirs")]
    assert weights[0] == weights[1]
    starts = JEDI.from_pretrained(tmp_path / "theirs", device="cpu").starts
    assert starts is not None
    assert len(starts) == 5


def test_a_repository_where_a_run_is_asked_for(published: Repo, server: HubServer, tmp_path: Path) -> None:
    out = ("--episodes", "2", "--json", "out.json")
    done = jedi("eval", "me/agent", *out, HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out.json").read_text())["checkpoint"].startswith("me/agent (")


def test_what_is_measured_of_the_zoo_is_written_here(tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime for path in entries()["catch"].folder.iterdir()}
    (tmp_path / "catch" / "checkpoints").mkdir(parents=True)  # a run of the same name takes no part
    done = jedi("eval", "catch", "--fidelity", "--contexts", "20", "--horizon", "2")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catch", "fidelity.json", "fidelity.png"]
    assert {path: path.stat().st_mtime for path in entries()["catch"].folder.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("probe", "catch"), "jedi pull catch --to runs/catch"),
        (("eval", "catchh"), "Did you mean 'catch'?"),
        (("pull", "./here"), "neither a checkpoint nor a run folder"),
        (("pull", "me/nowhere", "--endpoint", "http://127.0.0.1:9"), "Three things to try"),
        (("push", "catch", "nobody", "--endpoint", "http://127.0.0.1:9"), "owner/name"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], said: str) -> None:
    done = jedi(*arguments)
    assert done.exit_code == 2, done.output
    assert said in done.output
