"""Linear and convolution layers whose weights autocast does not cast at every call.

Autocast forgets its casts where its block ends, and a dream enters one at every step: for a single dream at the
paper's sizes that is ten million weights. Without gradient these layers keep what was cast, until the weight is written
to, moved or replaced. torch's fused optimisers, and writes through ``.data``, do not say that they write: who does so
says it for them (``torch.autograd.graph.increment_version``); and a call with gradient, not compiled, forgets.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Cast = tuple[Tensor, Tensor | None]


class Linear(nn.Linear):
    """``torch.nn.Linear``, (..., d) to (..., e), with the same parameters and results."""

    cast: tuple[object, Cast] | None = None

    def forward(self, input: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
        return F.linear(input, *_cast_once(self))


class Conv2d(nn.Conv2d):
    """``torch.nn.Conv2d``, (n, c, h, w) to (n, d, h2, w2), with the same parameters and results."""

    cast: tuple[object, Cast] | None = None

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h2 w2"]:
        return self._conv_forward(input, *_cast_once(self))


def _cast_once(layer: Linear | Conv2d) -> Cast:
    """Weight and bias, in autocast's dtype where it is on and no gradient is wanted."""
    weight, bias = layer.weight, layer.bias
    if torch.compiler.is_compiling() or weight.is_inference() or weight.is_meta:  # these know no versions
        return weight, bias
    if torch.is_grad_enabled():
        layer.cast = None
        return weight, bias
    if weight.dtype != torch.float32 or not torch.is_autocast_enabled(weight.device.type):
        return weight, bias
    dtype = torch.get_autocast_dtype(weight.device.type)
    now = (dtype, _content(weight), None if bias is None else _content(bias))
    if layer.cast is None or layer.cast[0] != now:
        layer.cast = now, (weight.to(dtype), None if bias is None else bias.to(dtype))
    return layer.cast[1]


def _content(x: Tensor) -> tuple[int, int]:
    """Another one for other values: where they lie, and how often that was written to."""
    return x.data_ptr(), x._version
