"""Checkpoints: folders written aside, synced and renamed; weights as safetensors, the rest as JSON.

``config.json``, ``model.safetensors`` and ``manifest.json`` make an agent; ``starts.safetensors`` are encoded contexts
from which it can dream without a replay and without the game, and ``probe.safetensors`` paints its latents. A training
checkpoint adds ``trainer.pt`` (optimisers and generators: our own, read with ``weights_only=True``) and
``progress.json``. The manifest holds the SHA-256 of every file, so that a damaged one is noticed before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jedi_sdk.config import Config
from jedi_sdk.load import config_from_dict, config_to_dict

FORMAT = 1
MANIFEST = "manifest.json"
STARTS, PROBE = "starts.safetensors", "probe.safetensors"
KNOWN_FILES = {MANIFEST, "config.json", "model.safetensors", STARTS, PROBE, "trainer.pt", "progress.json"}
Writer = Callable[[Path], object]


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read: says which file, why, and what to do."""


@dataclass(frozen=True)
class Card:
    """What must be known before networks can be built; ``custom`` names parts passed by argument, with their class."""

    config: Config
    num_actions: int
    device: str
    dtype: str
    custom: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "format": FORMAT, "config": config_to_dict(self.config)}

    @staticmethod
    def from_json(values: dict[str, Any]) -> Card:
        values = dict(values)
        made_by = values.pop("format")
        if made_by > FORMAT:
            raise CheckpointError(f"made by a newer jedi-sdk (format {made_by}, this one reads {FORMAT}): upgrade it")
        return Card(**{**values, "config": config_from_dict(values["config"])})


# -- writing ----------------------------------------------------------------------------------------------------


def save(
    folder: Path,
    card: Card,
    networks: nn.ModuleDict,
    training: dict[str, Any] | None = None,
    starts: Mapping[str, Tensor] | None = None,
    probe: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes the agent, where its dreams may begin (``starts``), what paints them (``probe``), and with ``training``
    (``trainer``: tensors, ``progress``: JSON) all a run goes on from."""
    tensors = _on_cpu(networks.state_dict())
    files: dict[str, Writer] = {
        "config.json": lambda path: _write_json(path, card.to_json()),
        "model.safetensors": lambda path: save_file(tensors, path),
    }
    for name, beside in ((STARTS, starts), (PROBE, probe)):
        if beside is not None:
            files[name] = partial(save_file, _on_cpu(beside))
    if training is not None:
        files["trainer.pt"] = lambda path: torch.save(training["trainer"], path)
        files["progress.json"] = lambda path: _write_json(path, training["progress"])
    write_folder(folder, files)


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def write_folder(folder: Path, files: Mapping[str, Writer]) -> None:
    """All files or none: whatever goes wrong, what stood at ``folder`` before still stands there."""
    strangers = {path.name for path in folder.iterdir()} - KNOWN_FILES if folder.exists() else set()
    if strangers:
        raise CheckpointError(f"{folder} holds other files ({', '.join(sorted(strangers)[:3])}): name a new folder")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, write in files.items():
            write(aside / name)
        _write_json(aside / MANIFEST, {name: _sha256(aside / name) for name in files})
        for path in (*aside.iterdir(), aside):
            _sync(path)
        _swap(aside, folder)
    except (OSError, RuntimeError, SafetensorError) as error:  # a full disk is each of these to somebody
        shutil.rmtree(aside, ignore_errors=True)
        message = f"could not write the checkpoint {folder}: {error}. Checkpoints written before are untouched."
        raise CheckpointError(message) from error


def _swap(aside: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        os.rename(folder, old)
    os.rename(aside, folder)
    shutil.rmtree(old, ignore_errors=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def add(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Writes ``STARTS`` or ``PROBE`` into a checkpoint that stands; its other files are linked, not copied."""
    files: dict[str, Writer] = {
        other: partial(os.link, folder / other) for other in _read_json(folder / MANIFEST) if other != name
    }
    write_folder(folder, {**files, name: partial(save_file, _on_cpu(tensors))})


# -- reading ----------------------------------------------------------------------------------------------------


def find(path: Path) -> Path:
    """The checkpoint folder meant by ``path``: itself, or the latest of the run folder it is."""
    if (path / "model.safetensors").exists():
        return path
    found = list_checkpoints(path)
    if not found:
        hint = "train one: jedi train catch" if not path.exists() else "it has no checkpoint yet"
        raise CheckpointError(f"{path} is neither a checkpoint nor a run folder with one ({hint})")
    return found[-1]


def refuse_unless_run(path: Path) -> None:
    """Only a run folder holds the replay that a run goes on with; an agent alone can be loaded, not resumed."""
    if (path / "model.safetensors").exists():
        raise CheckpointError(f"{path} is a checkpoint, not a run folder: resume the run it is in, or load the agent")


def list_checkpoints(run_dir: Path) -> list[Path]:
    """A run's checkpoints, oldest first."""
    return sorted(path for path in (run_dir / "checkpoints").glob("step-*") if path.is_dir())


def prune(run_dir: Path, keep: int) -> None:
    for path in list_checkpoints(run_dir)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def verify(folder: Path) -> None:
    """Raises ``CheckpointError`` naming the first file that is missing or damaged."""
    manifest = _read_json(folder / MANIFEST)
    for name, digest in manifest.items():
        path = folder / name
        if not path.exists():
            raise CheckpointError(f"{path} is missing: the checkpoint is incomplete. {_advice(folder)}")
        if _sha256(path) != digest:
            raise CheckpointError(f"{path} is damaged (its checksum differs). {_advice(folder)}")


def read_card(folder: Path) -> Card:
    verify(folder)
    return Card.from_json(_read_json(folder / "config.json"))


def load_networks(folder: Path, networks: nn.ModuleDict) -> None:
    """Strict: missing, unexpected or misshapen tensors raise ``CheckpointError``."""
    try:
        networks.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder / 'model.safetensors'} does not fit these networks: {error}") from error


def read_optional(folder: Path, name: str) -> dict[str, Tensor] | None:
    """The tensors of ``STARTS`` or ``PROBE``; None where ``save`` was given none."""
    return load_file(folder / name) if (folder / name).exists() else None


def read_training(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``save`` was given as ``training``: trainer, progress."""
    if not (folder / "trainer.pt").exists():
        raise CheckpointError(f"{folder} holds an agent but no training state: it cannot be resumed, only loaded")
    trainer = torch.load(folder / "trainer.pt", map_location="cpu", weights_only=True)
    return trainer, _read_json(folder / "progress.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: the checkpoint is incomplete. {_advice(path.parent)}") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged ({error}). {_advice(path.parent)}") from None


def _advice(folder: Path) -> str:
    others = [path for path in list_checkpoints(folder.parent.parent) if path != folder]
    if others:
        return f"An earlier one is {others[-1]}; to go on from it, delete {folder} and resume again."
    return "Fetch or train it again."
