"""What a safetensors file says it holds, read from its first bytes alone: before any of it takes memory.

A file begins with the length of its header in 8 bytes, little end first; the header is JSON, and names for each
tensor dtype, shape and place in the bytes behind it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jedi_sdk.checkpoint.names import CheckpointError
from jedi_sdk.checkpoint.own_file import parse_json, read_bytes, size

LENGTH = 8
MOST = 2**20  # bytes of a header
MOST_DIMENSIONS = 8
DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I16": torch.int16,
    "BOOL": torch.bool,
}


@dataclass(frozen=True)
class Declared:
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int  # in bytes behind the header
    end: int

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')} of {list(self.shape)}"


def read_header(path: Path) -> dict[str, Declared]:
    """Tensors by name, which fill the file to its last byte without gap or overlap. Raises ``CheckpointError``."""
    length = int.from_bytes(read_bytes(path, LENGTH), "little")
    room = size(path) - LENGTH
    if not 0 < length <= min(MOST, room):
        raise CheckpointError(f"{path} is no safetensors file: its header would have {length:,} bytes")
    entries = parse_json(read_bytes(path, LENGTH + length)[LENGTH:], path)
    entries.pop("__metadata__", None)
    tensors = {name: _declared(entry, f"{path}: {name!r:.80}") for name, entry in entries.items()}
    position = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.begin, tensor.end)):
        if tensor.begin != position:
            raise CheckpointError(f"{path} is damaged: its tensors overlap or leave gaps")
        position = tensor.end
    if position != room - length:
        raise CheckpointError(f"{path} is damaged: its tensors have {position:,} bytes, the file {room - length:,}")
    return tensors


def _declared(entry: Any, where: str) -> Declared:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)], **others}:
            known = dtype in DTYPES and not others and len(shape) <= MOST_DIMENSIONS
            if known and all(type(side) is int and 0 <= side < 2**40 for side in shape):
                tensor = Declared(DTYPES[dtype], tuple(shape), begin, end)
                if end - begin == math.prod(shape) * tensor.dtype.itemsize:
                    return tensor
    raise CheckpointError(f"{where} is declared as {entry!r:.120}, which is no tensor of a checkpoint")
