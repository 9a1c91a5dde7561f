"""Files of a checkpoint folder, which may be a stranger's: plain ones, inside it, of a size that can be meant."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jedi_sdk.checkpoint.names import PROGRESS, TRAINER, CheckpointError
from jedi_sdk.checkpoint.runs import advice

MOST_BYTES = {".json": 2**20, ".safetensors": 2**32, ".md": 2**20, ".png": 2**24, ".mp4": 2**28}
MOST_BYTES_OF = {PROGRESS: 2**28, TRAINER: 2**36}  # one's own, as long as the run
DEEPEST = 16  # groups within groups


def size(path: Path) -> int:
    """In bytes. Raises ``CheckpointError`` where ``path`` is missing, leads out of its folder or is too big."""
    try:
        found = path.stat()
        outside = not inside(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: the checkpoint is incomplete. {advice(path.parent)}") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other, until Python 3.13
        raise CheckpointError(f"{path} cannot be read ({error})") from error
    if outside:
        raise CheckpointError(f"{path} is a link out of its folder, to {path.resolve()}: put the file itself there")
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointError(f"{path} is no plain file: fetch the checkpoint again")
    most = MOST_BYTES_OF.get(path.name, MOST_BYTES.get(path.suffix, 0))
    if found.st_size > most:
        raise CheckpointError(f"{path} has {found.st_size:,} bytes, and no checkpoint needs more than {most:,}")
    return found.st_size


def inside(path: Path) -> bool:
    """Whether ``path`` is, links followed, in its folder or where the Hub's cache keeps what is."""
    return any(path.resolve().is_relative_to(home) for home in _homes(path.parent.resolve()))


def _homes(folder: Path) -> list[Path]:
    """Where links may lead. The Hub's cache keeps a repo's files beside its snapshots, which only link to them; those
    that several repos have may lie beside the repos.
    """
    for place in (folder, folder.parent):  # the latter is a policy's, around its agent's
        if place.parent.name == "snapshots":
            return [folder, *(home / "blobs" for home in place.parents[1:3])]
    return [folder]


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """The whole of it, or its first ``most`` bytes."""
    size(path)
    try:
        with open(path, "rb") as file:
            return file.read(-1 if most is None else most)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error})") from error


def read_json(path: Path) -> dict[str, Any]:
    return parse_json(read_bytes(path), path)


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """One object, no key in it twice. ``path`` is where it is from, for the error."""
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=_each_once)
        json.dumps(values, ensure_ascii=False).encode("utf-8")  # half a character could not even be shown
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). {advice(path.parent)}") from None
    if not isinstance(values, dict) or _deeper(values, DEEPEST):
        raise CheckpointError(f"{path} is no list of settings by name. {advice(path.parent)}")
    return values


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is there twice")
    return values


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _deeper(item, levels - 1) for item in inner)
