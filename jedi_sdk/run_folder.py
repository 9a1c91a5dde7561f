"""Where a run lives: naming its folder, and never replacing what is not a run."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path


class RunFolderError(RuntimeError):
    """A folder that cannot be a new run's: says what to do instead."""


def default_run_dir(game: str) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", game.lower()).strip("-")
    return Path("runs") / f"{slug}-{time.strftime('%Y%m%d-%H%M%S')}"


def claim(folder: Path, overwrite: bool) -> None:
    """Makes ``folder`` an empty one. An old run in it is removed only if asked to, anything else never."""
    if folder.exists() and any(folder.iterdir()):
        if not overwrite:
            raise RunFolderError(
                f"{folder} is not empty: go on with JEDI.resume({str(folder)!r}), or pass overwrite=True to replace it"
            )
        if not (folder / "config.yaml").exists():
            raise RunFolderError(f"{folder} is not empty and not a run folder: it will not be replaced. Name another.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
