"""Whose folder it is: a run replaces a run and nothing else, least of all the agent that it begins from."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jedi_sdk import JEDI, checkpoint
from jedi_sdk.run_folder import LOCK, WRITTEN, RunFolderError, _remove, claim, hold, new_run_dir, typed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    JEDI("catch", preset="tiny").learn(run_dir=folder, progress=False)
    return folder


def test_what_a_run_writes_is_known(run: Path) -> None:
    assert {path.name for path in run.iterdir()} <= {*WRITTEN, LOCK}


def test_an_agent_that_a_run_begins_from_is_not_deleted_for_it(run: Path) -> None:
    agent = JEDI.from_pretrained(run)
    with pytest.raises(RunFolderError, match="name another folder"):
        agent.learn(run_dir=run, overwrite=True, progress=False)
    assert JEDI.resume(run).config == agent.config


def test_a_run_goes_on_with_the_checkpoint_that_a_killed_process_was_replacing(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    newest = checkpoint.find(folder)
    newest.rename(newest.with_name(f".{newest.name}.old"))
    by_another = f"from pathlib import Path; from jedi_sdk.train import put_back; put_back(Path({str(folder)!r}))"
    with hold(folder):
        subprocess.run([sys.executable, "-c", by_another], check=True)
        assert not newest.exists()  # the run that is at work there may be replacing it
    assert JEDI.resume(folder).origin.folder == newest
    assert newest.exists()


def test_a_project_with_a_config_of_its_own_is_not_a_run(tmp_path: Path) -> None:
    for name in ("config.yaml", "thesis.tex"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "checkpoints" / "step-1000").mkdir(parents=True)
    with pytest.raises(RunFolderError, match="not a run folder"), claim(tmp_path, overwrite=True):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "config.yaml", "thesis.tex"]


def test_replacing_a_run_leaves_what_others_put_beside_it(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    (tmp_path / "notes.txt").write_text("mine")
    with claim(tmp_path, overwrite=True):
        assert {path.name for path in tmp_path.iterdir()} == {LOCK, "notes.txt"}


@pytest.mark.parametrize("removed", range(len(WRITTEN)))
def test_a_removal_that_was_killed_can_be_repeated(
    run: Path, tmp_path: Path, removed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    steps = iter(range(removed))

    def remove(path: Path) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        _remove(path)

    with monkeypatch.context() as patch:
        patch.setattr("jedi_sdk.run_folder._remove", remove)
        with pytest.raises(KeyboardInterrupt), claim(tmp_path, overwrite=True):
            pass
    with claim(tmp_path, overwrite=True):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_a_run_that_was_killed_before_its_first_line_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "obs.bin").write_bytes(b"")
    with claim(tmp_path, overwrite=True):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]


HOLDS = """
import os, sys, time
from pathlib import Path
from jedi_sdk.run_folder import hold
with hold(Path(sys.argv[1])):
    if os.fork():
        os.write(1, b"held\\n")
    time.sleep(float(sys.argv[2]))
"""


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    def other() -> str:
        return subprocess.run([sys.executable, "-c", HOLDS, tmp_path, "0"], capture_output=True, text=True).stderr

    with hold(tmp_path):
        assert "another process is training" in other()
    assert other() == ""


def test_a_killed_process_holds_nothing_though_its_children_live(tmp_path: Path) -> None:
    """As the games' processes may, for a moment."""
    command = [sys.executable, "-c", HOLDS, tmp_path, "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as one:
        assert one.stdout
        assert one.stdout.readline() == b"held\n"
        with pytest.raises(RunFolderError, match="another process"), hold(tmp_path):
            pass
        one.kill()
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        with hold(tmp_path):
            os.killpg(one.pid, signal.SIGKILL)


def test_runs_without_a_name_of_their_own_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len({new_run_dir("ALE/Pong-v5") for _ in range(5)}) == 5
    assert len(list(Path("runs").glob("ale-pong-v5-*"))) == 5


@pytest.mark.parametrize(
    ("folder", "said"),
    [("first", "./first"), ("runs/b0", "runs/b0"), ("/r/b 0", "'/r/b 0'"), ("b 0", "'./b 0'"), ("..", "..")],
)
def test_a_folder_is_named_as_it_can_be_typed(folder: str, said: str) -> None:
    assert typed(Path(folder)) == said
