"""Where a run lives: naming its folder, keeping others out of it, and never removing what no run has written."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LOCK = ".lock"  # stays behind: whoever removed it could let two processes in

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


def new_run_dir(game: str) -> Path:
    """Makes a folder under runs/, named after the game and the time, that nobody else has."""
    slug = re.sub(r"[^a-z0-9]+", "-", game.lower()).strip("-")
    named = f"{slug}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, times = Path("runs") / named, 1
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
        times += 1
        folder = Path("runs") / f"{named}-{times}"


@contextlib.contextmanager
def claim(folder: Path, overwrite: bool, origin: Path | None = None) -> Iterator[None]:
    """Makes ``folder`` a new run's, which begins from the checkpoint ``origin``, and holds it. An old run in it is
    removed only if asked to, and anything else that lies there never. Raises ``RunFolderError``.
    """
    if in_use(folder):
        _refuse(folder, overwrite, origin)
    with hold(folder):
        for name in WRITTEN:
            _remove(folder / name)
        yield


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keeps other processes from training in ``folder``, to the end of the block or of this process. Raises
    ``RunFolderError`` where one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "ab") as file:
        if not _locks(file):
            raise RunFolderError(
                f"another process is training in {folder}: wait until it has ended, stop it, or name another folder"
            )
        yield


def in_use(folder: Path) -> bool:
    return folder.exists() and any(path.name != LOCK for path in folder.iterdir())


def is_run(folder: Path) -> bool:
    """By what nobody else writes: a config.yaml is in many a folder."""
    return (folder / "replay" / "obs.bin").exists() or can_resume(folder)


def can_resume(folder: Path) -> bool:
    """Whether a run there has come to its first checkpoint."""
    return any((folder / "checkpoints").glob("step-*/manifest.json"))


def typed(folder: Path) -> str:
    """``folder`` as one has to type it in a shell, where a bare word names an agent of the zoo."""
    text = str(folder)
    return shlex.quote(text if os.sep in text or text.startswith(".") else f"./{text}")


def _refuse(folder: Path, overwrite: bool, origin: Path | None) -> None:
    if not is_run(folder):
        raise RunFolderError(f"{folder} is not empty and not a run folder: it will not be replaced. Name another.")
    if not overwrite:
        resume = f"go on with JEDI.resume({str(folder)!r}), or " if can_resume(folder) else ""
        raise RunFolderError(f"{folder} is not empty: {resume}pass overwrite=True to replace the run in it")
    if origin and origin.resolve().is_relative_to(folder.resolve()):
        raise RunFolderError(f"{folder} holds {origin}, from which the new run begins: name another folder for it.")


def _locks(file: BinaryIO) -> bool:
    """A lock of this process and not of its children, who may outlive it. Where there are no locks (Windows, some
    network drives) nobody is kept out.
    """
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
