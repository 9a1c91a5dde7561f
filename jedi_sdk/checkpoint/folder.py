"""Folders written aside, synced and renamed: all files or none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from jedi_sdk.checkpoint.kinds import AGENT, Kind
from jedi_sdk.checkpoint.manifest import checksums
from jedi_sdk.checkpoint.names import ABOUT_FILES, MANIFEST, TRAINING_FILES, CheckpointError, old

Writer = Callable[[Path], object]


def write_folder(folder: Path, files: Mapping[str, Writer], kind: Kind = AGENT) -> None:
    """Whatever goes wrong, what stood at ``folder`` before still stands there. What is not a checkpoint's, or was
    written about the agent that is there, is never replaced.
    """
    recover(folder)
    names = {*kind.checked, MANIFEST} - {*TRAINING_FILES} | {*files}  # what a run goes on from, only a run replaces
    _refuse_to_replace(folder, {name.partition("/")[0] for name in names})
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, write in files.items():
            (aside / name).parent.mkdir(exist_ok=True)
            write(aside / name)
        write_json(aside / MANIFEST, checksums(aside, kind))
        for path in (*aside.rglob("*"), aside):
            _sync(path)
        _swap(aside, folder)
    except (OSError, RuntimeError, SafetensorError) as error:  # a full disk is each of these to somebody
        shutil.rmtree(aside, ignore_errors=True)
        message = f"could not write the checkpoint {folder}: {error}. Checkpoints written before are untouched."
        raise CheckpointError(message) from error


def _refuse_to_replace(folder: Path, replaced: set[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file, and a checkpoint is a folder: name another")
    if folder.exists() and folder.samefile(Path.cwd()):
        raise CheckpointError(f"{folder} is the folder you are in, which cannot be replaced: name another, ./my-agent")
    kept = sorted({path.name for path in folder.iterdir()} - replaced) if folder.exists() else []
    if not kept:
        return
    names = ", ".join(kept[:3])
    if set(kept) <= set(ABOUT_FILES):
        raise CheckpointError(f"{folder} holds {names} about the agent there: name a new folder, or delete them first")
    raise CheckpointError(f"{folder} holds other files ({names}): name a new folder")


def recover(folder: Path) -> None:
    """Puts back what a process killed in the middle of ``_swap`` left aside."""
    if not folder.exists() and old(folder).exists():
        os.rename(old(folder), folder)


def _swap(aside: Path, folder: Path) -> None:
    replaced = folder.exists()
    if replaced:
        shutil.rmtree(old(folder), ignore_errors=True)  # left by a process that was killed before it could remove it
        os.rename(folder, old(folder))
    try:
        os.rename(aside, folder)
    except OSError:
        if replaced:
            os.rename(old(folder), folder)
        raise
    shutil.rmtree(old(folder), ignore_errors=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
