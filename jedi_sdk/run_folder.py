"""Where a run lives: naming its folder, and never removing what no run has written."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

WRITTEN = (  # by a run, and by `jedi eval --fidelity` about it
    "replay",
    "tensorboard",
    "config.yaml",
    "log.jsonl",
    "learning_curve.png",
    "fidelity.png",
    "fidelity.json",
    "checkpoints",  # removed last: by it a folder is still known as a run's if the removal is killed
)


class RunFolderError(RuntimeError):
    """A folder that cannot be a new run's: says what to do instead."""


def default_run_dir(game: str) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", game.lower()).strip("-")
    return Path("runs") / f"{slug}-{time.strftime('%Y%m%d-%H%M%S')}"


def claim(folder: Path, overwrite: bool, origin: Path | None = None) -> None:
    """Makes ``folder`` a new run's, which begins from the checkpoint ``origin``. An old run in it is removed only if
    asked to, and anything else that lies there never.
    """
    if folder.exists() and any(folder.iterdir()):
        if not overwrite:
            raise RunFolderError(
                f"{folder} is not empty: go on with JEDI.resume({str(folder)!r}), or pass overwrite=True to replace it"
            )
        if not _is_run(folder):
            raise RunFolderError(f"{folder} is not empty and not a run folder: it will not be replaced. Name another.")
        if origin and origin.resolve().is_relative_to(folder.resolve()):
            raise RunFolderError(f"{folder} holds {origin}, from which the new run begins: name another folder for it.")
        for name in WRITTEN:
            _remove(folder / name)
    folder.mkdir(parents=True, exist_ok=True)


def _is_run(folder: Path) -> bool:
    """By what nobody else writes: a config.yaml is in many a folder."""
    return (folder / "replay" / "obs.bin").exists() or any((folder / "checkpoints").glob("step-*/manifest.json"))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
