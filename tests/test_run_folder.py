"""Whose folder it is: a run replaces a run and nothing else, least of all the agent that it begins from."""

from pathlib import Path

import pytest

from jedi_sdk import JEDI
from jedi_sdk.run_folder import WRITTEN, RunFolderError, _remove, claim


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    JEDI("catch", preset="tiny").learn(run_dir=folder, progress=False)
    return folder


def test_what_a_run_writes_is_known(run: Path) -> None:
    assert {path.name for path in run.iterdir()} <= set(WRITTEN)


def test_an_agent_that_a_run_begins_from_is_not_deleted_for_it(run: Path) -> None:
    agent = JEDI.from_pretrained(run)
    with pytest.raises(RunFolderError, match="name another folder"):
        agent.learn(run_dir=run, overwrite=True, progress=False)
    assert JEDI.resume(run).config == agent.config


def test_a_project_with_a_config_of_its_own_is_not_a_run(tmp_path: Path) -> None:
    for name in ("config.yaml", "thesis.tex"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "checkpoints" / "step-1000").mkdir(parents=True)
    with pytest.raises(RunFolderError, match="not a run folder"):
        claim(tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "config.yaml", "thesis.tex"]


def test_replacing_a_run_leaves_what_others_put_beside_it(tmp_path: Path) -> None:
    JEDI("catch", preset="tiny").learn(run_dir=tmp_path, progress=False)
    (tmp_path / "notes.txt").write_text("mine")
    claim(tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("removed", range(len(WRITTEN)))
def test_a_removal_that_was_killed_can_be_repeated(tmp_path: Path, removed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    JEDI("catch", preset="tiny").learn(run_dir=tmp_path, progress=False)
    steps = iter(range(removed))

    def remove(path: Path) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        _remove(path)

    with monkeypatch.context() as patch:
        patch.setattr("jedi_sdk.run_folder._remove", remove)
        with pytest.raises(KeyboardInterrupt):
            claim(tmp_path, overwrite=True)
    claim(tmp_path, overwrite=True)
    assert not any(tmp_path.iterdir())


def test_a_run_that_was_killed_before_its_first_line_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "obs.bin").write_bytes(b"")
    claim(tmp_path, overwrite=True)
    assert not any(tmp_path.iterdir())
