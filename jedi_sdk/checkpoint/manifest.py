"""The manifest: the SHA-256 of what a checkpoint is made of, so that damage is noticed before anything is used.

It proves that a folder is whole, not who made it: a stranger can write one too, so everything else is checked as well.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from jedi_sdk.checkpoint.kinds import AGENT, Kind, kind_of
from jedi_sdk.checkpoint.names import EMBEDDED, MANIFEST, CheckpointError
from jedi_sdk.checkpoint.own_file import read_json, size
from jedi_sdk.checkpoint.runs import advice


def verify(folder: Path, kind: Kind = AGENT) -> None:
    """Raises ``CheckpointError`` naming the first file that is missing, damaged, or not of a checkpoint."""
    manifest = listed(folder, kind)
    for name in kind.checked:
        if name not in manifest and (folder / name).exists():
            raise CheckpointError(f"{folder / name} is not in {MANIFEST}: it is of another checkpoint, or added later")
    for name in manifest:
        size(folder / name)  # before it is read
    for name, digest in manifest.items():
        if sha256(folder / name) != digest:
            raise CheckpointError(f"{folder / name} is damaged (its checksum differs). {advice(folder)}")
        if name.endswith(f"/{MANIFEST}"):
            verify(_within(folder, name))


def _within(folder: Path, name: str) -> Path:
    inner = (folder / name).parent
    if inner.is_symlink():
        raise CheckpointError(f"{inner} is a link, to {inner.resolve()}: put the folder itself there")
    return inner


def listed(folder: Path, kind: Kind = AGENT) -> dict[str, str]:
    """Checksums by name."""
    found = kind_of(folder)
    if found is not kind:
        raise CheckpointError(f"{folder} holds {found.title}, not {kind.title}: load it with {found.loader}")
    manifest = read_json(folder / MANIFEST)
    for name in kind.needed:
        if name not in manifest:
            raise CheckpointError(f"{folder / MANIFEST} does not list {name}. {advice(folder)}")
    for name in manifest:
        if name not in kind.checked:
            known = ", ".join(kind.checked)
            raise CheckpointError(f"{folder / MANIFEST} lists {name[:80]!r}; of a checkpoint are only {known}")
    return manifest


def missing(folder: Path, kind: Kind = AGENT) -> list[str]:
    """Files that should be there and are not, by name. A manifest that cannot be read asks for none."""
    names = dict.fromkeys((*kind.needed, MANIFEST))
    with suppress(CheckpointError):
        names |= dict.fromkeys(listed(folder, kind))
    absent = [name for name in names if not (folder / name).exists()]
    if f"{EMBEDDED}/{MANIFEST}" in kind.checked and (folder / EMBEDDED / MANIFEST).exists():
        absent += [f"{EMBEDDED}/{name}" for name in missing(folder / EMBEDDED)]
    return absent


def public(folder: Path) -> list[str]:
    """Names of the files there that may travel. Raises ``CheckpointError`` for a link out of the folder, or a file
    that is too big.
    """
    names = [name for name in kind_of(folder).public if (folder / name).exists()]
    for name in names:
        size(folder / name)
    return names


def checksums(folder: Path, kind: Kind) -> dict[str, str]:
    return {name: sha256(folder / name) for name in kind.checked if (folder / name).exists()}


def sha256(path: Path) -> str:
    """Of the file's bytes, in hexadecimal. Raises ``CheckpointError`` where they cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error})") from error
