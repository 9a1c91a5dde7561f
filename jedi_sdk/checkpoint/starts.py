"""``starts.safetensors``: encoded contexts from which an agent dreams without its replay and without its game."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from jedi_sdk.checkpoint.header import Declared
from jedi_sdk.checkpoint.names import STARTS, CheckpointError
from jedi_sdk.checkpoint.tensors import FLOATS, read_tensors
from jedi_sdk.world_model import WorldModel

MOST_BYTES = 2**26  # of all tensors together


def read_starts(folder: Path, world_model: WorldModel) -> dict[str, Tensor] | None:
    """``z`` (n k c h w) float, ``act`` (n k-1) int16 and ``mask`` (n k) bool, as ``Starts.from_tensors`` takes them;
    None where ``folder`` has none. Raises ``CheckpointError`` where they are not this world model's.
    """
    path = folder / STARTS
    if not path.exists():
        return None
    tensors = read_tensors(path, lambda path, declared: _refuse_misfit(path, declared, world_model))
    act, mask = tensors["act"], tensors["mask"].view(torch.uint8)
    if ((act < 0) | (act >= world_model.num_actions)).any():
        raise CheckpointError(f"{path}: act has actions that are not from 0 to {world_model.num_actions - 1}")
    if (mask > 1).any():
        raise CheckpointError(f"{path}: mask has bytes that are neither false nor true")
    return tensors


def _refuse_misfit(path: Path, declared: Mapping[str, Declared], world_model: WorldModel) -> None:
    k = world_model.context
    wanted = {
        "z": (FLOATS, (k, *world_model.latent_shape)),
        "act": ((torch.int16,), (k - 1,)),
        "mask": ((torch.bool,), (k,)),
    }
    if declared.keys() != wanted.keys():
        raise CheckpointError(f"{path} must hold {', '.join(wanted)}, not {', '.join(sorted(declared))!r:.120}")
    n = declared["mask"].shape[:1]
    for name, (dtypes, shape) in wanted.items():
        if declared[name].dtype not in dtypes or declared[name].shape != (*n, *shape) or 0 in n:
            raise CheckpointError(f"{path}: {name} is {declared[name]}, and must be {dtypes[-1]} of {['n', *shape]}")
    if sum(tensor.end - tensor.begin for tensor in declared.values()) > MOST_BYTES:
        raise CheckpointError(f"{path} holds {n[0]:,} contexts, more than the {MOST_BYTES:,} bytes that are allowed")
