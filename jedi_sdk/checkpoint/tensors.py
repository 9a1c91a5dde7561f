"""Tensors from a file, which may be a stranger's: what must fit is compared before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from jedi_sdk.checkpoint.header import Declared, read_header
from jedi_sdk.checkpoint.names import MODEL, PROBE, CheckpointError
from jedi_sdk.checkpoint.own_file import read_bytes

FLOATS = (torch.float32, torch.float16, torch.bfloat16)  # each may stand for the others


def read_tensors(path: Path, check: Callable[[Path, Mapping[str, Declared]], None]) -> dict[str, Tensor]:
    """All of ``path``, after ``check`` has seen what it declares. Raises ``CheckpointError``, also for NaN and inf."""
    check(path, read_header(path))
    try:
        tensors = load(read_bytes(path))
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error})") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{path}: {name} has values that are NaN or infinite; its training had diverged")
    return tensors


def load_networks(folder: Path, networks: nn.ModuleDict) -> None:
    """All weights and running figures of ``networks``, which may lie on the ``meta`` device: then they come to be
    here, on the CPU. Missing, unexpected or misshapen tensors raise ``CheckpointError``.
    """
    _load(folder / MODEL, networks)


def load_probe(folder: Path, probe: nn.Module) -> bool:
    """The same for the pixel probe; False where ``folder`` has none."""
    if (folder / PROBE).exists():
        _load(folder / PROBE, probe)
    return (folder / PROBE).exists()


def _load(path: Path, module: nn.Module) -> None:
    wanted = module.state_dict()
    tensors = read_fitting(path, wanted)
    module.load_state_dict(tensors, assign=any(tensor.is_meta for tensor in wanted.values()))


def read_fitting(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with the names, shapes and types of ``wanted``, which may lie on ``meta``. Raises ``CheckpointError``."""
    tensors = read_tensors(path, lambda path, declared: refuse_misfit(path, declared, wanted))
    return {name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}


def refuse_misfit(path: Path, declared: Mapping[str, Declared], wanted: Mapping[str, Tensor]) -> None:
    """Names, shapes and kinds must be those of ``wanted``; only which float it is may differ."""
    if missing := sorted(wanted.keys() - declared.keys()):
        raise CheckpointError(f"{path} does not fit these networks: {missing[0]} is missing in it")
    if unknown := sorted(declared.keys() - wanted.keys()):
        raise CheckpointError(f"{path} does not fit these networks: they have no {unknown[0]!r:.80}")
    for name, tensor in wanted.items():
        found = declared[name]
        alike = found.dtype == tensor.dtype or (found.dtype in FLOATS and tensor.dtype in FLOATS)
        if not alike or found.shape != tuple(tensor.shape):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise CheckpointError(
                f"{path} does not fit these networks: {name} is {found}, and must be {kind} of {list(tensor.shape)}"
            )
