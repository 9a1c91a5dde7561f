"""A run's checkpoints: which there are, which is meant, which may go."""

from __future__ import annotations

import shutil
from pathlib import Path

from jedi_sdk.checkpoint.names import MODEL, POLICY, CheckpointError, old


def find(path: Path) -> Path:
    """The folder meant by ``path``: itself, if it is an agent's or a policy's, or the latest of the run it is."""
    if (path / MODEL).exists() or (path / POLICY).exists():
        return path
    found = list_checkpoints(path)
    if not found:
        hint = "train one: jedi train catch" if not path.exists() else "it has no checkpoint yet"
        if old(path).exists():
            hint = f"a process was killed while it replaced it, and left it aside: rename {old(path)} to {path}"
        raise CheckpointError(f"{path} is neither a checkpoint nor a run folder with one ({hint})")
    return found[-1]


def refuse_unless_run(path: Path) -> None:
    """Only a run folder holds the replay that a run goes on with; an agent alone can be loaded, not resumed."""
    if (path / MODEL).exists():
        raise CheckpointError(f"{path} is a checkpoint, not a run folder: resume the run it is in, or load the agent")


def list_checkpoints(run_dir: Path) -> list[Path]:
    """A run's checkpoints, oldest first."""
    return sorted(path for path in (run_dir / "checkpoints").glob("step-*") if path.is_dir())


def prune(run_dir: Path, keep: int) -> None:
    """Removes all but the newest, and what was being written or replaced when a process was killed."""
    left = (run_dir / "checkpoints").glob(".step-*")
    for path in [*list_checkpoints(run_dir)[:-keep], *left]:
        shutil.rmtree(path, ignore_errors=True)


def advice(folder: Path) -> str:
    """What to do about a checkpoint that cannot be used."""
    others = [path for path in list_checkpoints(folder.parent.parent) if path != folder]
    if others and not folder.exists():  # a run that goes on keeps its newest alone
        return f"The newest is {others[-1]} now."
    if others:
        return f"An earlier one is {others[-1]}; to go on from it, delete {folder} and resume again."
    return "Fetch or train it again."
