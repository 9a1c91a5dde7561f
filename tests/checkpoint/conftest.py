"""A good folder, and what a stranger may do to it: change any file, and write checksums that fit."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from jedi_sdk import JEDI

SCHEMA_1 = Path(__file__).parent.parent / "data" / "schema1"  # made by the last version that wrote it


@pytest.fixture(scope="session")
def agent() -> JEDI:
    return JEDI.from_pretrained(SCHEMA_1 / "agent", device="cpu")


@pytest.fixture
def folder(agent: JEDI, tmp_path: Path) -> Path:
    """The agent as it is written today, with starts and probe."""
    return agent.save_pretrained(tmp_path / "agent")


def sign(folder: Path) -> None:
    """The manifest that fits what is there."""
    names = [path.name for path in folder.iterdir() if path.suffix in (".json", ".safetensors", ".pt")]
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    digests.pop("manifest.json", None)
    (folder / "manifest.json").write_text(json.dumps(digests))


@pytest.fixture
def edit(folder: Path) -> Callable[..., None]:
    """Sets keys of ``config.json``, given with two underscores for a dot; the value ``...`` removes one."""

    def edit(**changes: Any) -> None:
        path = folder / "config.json"
        values = json.loads(path.read_text())
        for key, value in changes.items():
            *groups, name = key.split("__")
            group = values
            for inner in groups:
                group = group[inner]
            group[name] = value
            if value is ...:
                del group[name]
        path.write_text(json.dumps(values))
        sign(folder)

    return edit


@pytest.fixture
def retouch(folder: Path) -> Callable[[str, Callable[[dict[str, torch.Tensor]], object]], None]:
    """Changes the tensors of a file."""

    def retouch(name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
        tensors = load_file(folder / name)
        change(tensors)
        save_file(tensors, folder / name)
        sign(folder)

    return retouch


@pytest.fixture
def signed(folder: Path) -> Callable[[], None]:
    return lambda: sign(folder)


@pytest.fixture
def schema_1(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SCHEMA_1 / "agent", tmp_path / "schema1"))
