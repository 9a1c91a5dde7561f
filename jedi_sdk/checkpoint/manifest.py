"""The manifest: the SHA-256 of what a checkpoint is made of, so that damage is noticed before anything is used.

It proves that a folder is whole, not who made it: a stranger can write one too, so everything else is checked as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from jedi_sdk.checkpoint.names import CHECKED_FILES, CONFIG, MANIFEST, MODEL, CheckpointError
from jedi_sdk.checkpoint.own_file import read_json, size
from jedi_sdk.checkpoint.runs import advice


def verify(folder: Path) -> None:
    """Raises ``CheckpointError`` naming the first file that is missing, damaged, or not of a checkpoint."""
    manifest = listed(folder)
    for name in CHECKED_FILES:
        if name not in manifest and (folder / name).exists():
            raise CheckpointError(f"{folder / name} is not in {MANIFEST}: it is of another checkpoint, or added later")
    for name in manifest:
        size(folder / name)  # before it is read
    for name, digest in manifest.items():
        if sha256(folder / name) != digest:
            raise CheckpointError(f"{folder / name} is damaged (its checksum differs). {advice(folder)}")


def listed(folder: Path) -> dict[str, str]:
    """Checksums by name."""
    manifest = read_json(folder / MANIFEST)
    for name in (CONFIG, MODEL):
        if name not in manifest:
            raise CheckpointError(f"{folder / MANIFEST} does not list {name}. {advice(folder)}")
    for name in manifest:
        if name not in CHECKED_FILES:
            known = ", ".join(CHECKED_FILES)
            raise CheckpointError(f"{folder / MANIFEST} lists {name[:80]!r}; of a checkpoint are only {known}")
    return manifest


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: sha256(folder / name) for name in names if name in CHECKED_FILES}


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
