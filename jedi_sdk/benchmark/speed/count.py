"""What a call does, counted: floating-point operations, and bytes that its operations read and write."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count


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


def _linear_flops(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
    return 2 * math.prod(x) * weight[0]


def _convolution_flops(x: list[int], weight: list[int], *_: Any, out_shape: list[int], **__: Any) -> int:
    return conv_flop_count(x, weight, out_shape)


def _packed() -> dict[Any, Any]:
    """What ``layers.py`` calls where torch has oneDNN; torch's counter only knows its own layers."""
    if not torch.backends.mkldnn.is_available():
        return {}
    ops = torch.ops.mkldnn
    return {ops._linear_pointwise: _linear_flops, ops._convolution_pointwise: _convolution_flops}


def count(call: Callable[[], object]) -> Count:
    """One call, counted as torch runs it without compilation."""
    flops, traffic = FlopCounterMode(display=False, custom_mapping=_packed()), Traffic()
    with torch.compiler.set_stance("force_eager"), flops, traffic:
        call()
    return Count(flops.get_total_flops(), traffic.bytes)
