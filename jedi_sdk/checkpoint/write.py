"""What is written: the agent, where its dreams may begin, what paints them, and what its run goes on from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from jedi_sdk.checkpoint.card import Card
from jedi_sdk.checkpoint.folder import Writer, write_folder, write_json
from jedi_sdk.checkpoint.manifest import listed
from jedi_sdk.checkpoint.names import (
    ABOUT_FILES,
    CONFIG,
    MODEL,
    PROBE,
    PROGRESS,
    STARTS,
    TRAINER,
    CheckpointError,
)
from jedi_sdk.checkpoint.own_file import size


def save(
    folder: Path,
    card: Card,
    networks: nn.ModuleDict,
    training: Mapping[str, Any] | None = None,
    starts: Mapping[str, Tensor] | None = None,
    probe: Mapping[str, Tensor] | None = None,
    half: bool = False,
) -> None:
    """Writes the agent, where its dreams may begin (``starts``), what paints them (``probe``), and with ``training``
    (``trainer``: tensors, ``progress``: JSON) all a run goes on from.

    ``half``: matrices and kernels as float16, in half the space; vectors and running figures stay as they are.
    """
    tensors = _halved(networks) if half else networks.state_dict()
    files: dict[str, Writer] = {
        CONFIG: lambda path: write_json(path, card.to_json()),
        MODEL: tensor_writer(tensors),
    }
    for name, beside in ((STARTS, starts), (PROBE, probe)):
        if beside is not None:
            files[name] = tensor_writer(beside)
    if training is not None:
        files[TRAINER] = lambda path: torch.save(training["trainer"], path)
        files[PROGRESS] = lambda path: write_json(path, training["progress"])
    write_folder(folder, files)


def add(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Writes ``STARTS`` or ``PROBE`` into a checkpoint that stands; its other files are linked, not copied."""
    others = {*listed(folder), *(about for about in ABOUT_FILES if (folder / about).exists())} - {name}
    for other in others:
        size(folder / other)  # no link out of the folder may bring in what lies elsewhere
    files: dict[str, Writer] = {other: partial(os.link, (folder / other).resolve()) for other in sorted(others)}
    write_folder(folder, {**files, name: tensor_writer(tensors)})


def _halved(networks: nn.Module) -> dict[str, Tensor]:
    tensors = networks.state_dict()
    for name, weight in networks.named_parameters():
        if weight.ndim >= 2 and weight.dtype == torch.float32:
            tensors[name] = weight.half()
            if tensors[name].isinf().any():
                raise CheckpointError(f"{name} is too large for float16 (above 65504): save it without half")
    return tensors


def tensor_writer(tensors: Mapping[str, Tensor]) -> Writer:
    """For ``write_folder``. Not safetensors' own ``save_file``, whose files nobody else may read."""
    here = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return lambda path: path.write_bytes(to_bytes(here))
