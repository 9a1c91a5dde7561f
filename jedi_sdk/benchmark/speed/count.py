"""What a call does, counted: floating-point operations, and bytes that its operations read and write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Count:
    """``flops``: a multiplication and an addition are two. ``bytes``: as if no cache kept anything for the next."""

    flops: int
    bytes: int


class Traffic(TorchDispatchMode):
    """Adds up the size of every operation's tensors, in and out; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            touched = {id(leaf): leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)}
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in touched.values())
        return result


def count(call: Callable[[], object]) -> Count:
    """One call, counted as torch runs it without compilation."""
    flops, traffic = FlopCounterMode(display=False), Traffic()
    with torch.compiler.set_stance("force_eager"), flops, traffic:
        call()
    return Count(flops.get_total_flops(), traffic.bytes)
