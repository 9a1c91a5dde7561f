"""Linear and convolution layers that make their weights ready once, not at every call.

Without gradient two things would be repeated at every call: autocast casts the weight and forgets it where its block
ends, and on a CPU oneDNN lays it out anew in the order that its kernels read. For a single dream at the paper's sizes
that is ten million weights a step. Here what was made ready is kept until the weight is written to, moved or replaced.
torch's fused optimisers, and writes through ``.data``, do not say that they write: who does so says it for them
(``torch.autograd.graph.increment_version``); and a call with gradient, not compiled, forgets.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Weights = tuple[Tensor, Tensor | None]  # weight and bias


class Ready(nn.Module):
    """Keeps ``ready``: weight and bias as a call without gradient uses them, and what they were made from."""

    weight: Tensor
    bias: Any  # a tensor, or None
    ready: tuple[object, Weights] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "ready": None}  # what oneDNN has laid out can be neither copied nor pickled

    def pack(self, weight: Tensor) -> Tensor:
        """``weight`` in the order that oneDNN's kernels read; ``torch.compile`` does the same with frozen networks."""
        raise NotImplementedError

    def _weights(self) -> Weights:
        weight, bias = self.weight, self.bias
        if torch.compiler.is_compiling() or weight.is_inference() or weight.is_meta:  # these know no versions
            return weight, bias
        if torch.is_grad_enabled():
            self.ready = None
            return weight, bias
        if weight.dtype != torch.float32 or not torch.is_autocast_enabled(weight.device.type):
            return weight, bias
        dtype = torch.get_autocast_dtype(weight.device.type)
        now = (dtype, _content(weight), None if bias is None else _content(bias))
        if self.ready is None or self.ready[0] != now:
            cast = weight.to(dtype)
            packed = self.pack(cast) if _packs(cast) else cast
            self.ready = now, (packed, None if bias is None else bias.to(dtype))
        return self.ready[1]


class Linear(Ready, nn.Linear):
    """``torch.nn.Linear``, (..., d) to (..., e), with the same parameters and results."""

    def forward(self, input: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
        weight, bias = self._weights()
        if weight.is_mkldnn:
            return torch.ops.mkldnn._linear_pointwise(input.to(weight.dtype), weight, bias, "none", [], "")
        return F.linear(input, weight, bias)

    def pack(self, weight: Tensor) -> Tensor:
        return torch.ops.mkldnn._reorder_linear_weight(weight)


class Conv2d(Ready, nn.Conv2d):
    """``torch.nn.Conv2d``, (n, c, h, w) to (n, d, h2, w2), with the same parameters and results; padded with zeros."""

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h2 w2"]:
        weight, bias = self._weights()
        if weight.is_mkldnn:
            x = input.to(weight.dtype)
            shape = (self.padding, self.stride, self.dilation, self.groups)
            return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *shape, "none", [], "")
        return self._conv_forward(input, weight, bias)

    def pack(self, weight: Tensor) -> Tensor:
        shape = (self.padding, self.stride, self.dilation, self.groups)
        return torch.ops.mkldnn._reorder_convolution_weight(weight, *shape)


def _packs(weight: Tensor) -> bool:
    """Where torch's own layers would go through oneDNN, too."""
    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16 or not torch.backends.mkldnn.is_available():
        return False
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _content(x: Tensor) -> tuple[int, int]:
    """Another one for other values: where they lie, and how often that was written to."""
    return x.data_ptr(), x._version
