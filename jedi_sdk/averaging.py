"""Weights that follow others, as their exponential moving average."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, decay: float) -> None:
    """``slow = decay * slow + (1 - decay) * fast``, parameter by parameter; buffers are copied."""
    averages: list[Tensor] = list(slow.parameters())
    if averages:  # an identity has none
        get_ema_multi_avg_fn(decay)(tuple(averages), tuple(fast.parameters()), 0)  # 0: how many before, not used
    for kept, new in zip(slow.buffers(), fast.buffers(), strict=True):
        kept.copy_(new)


def warmed_up(decay: float, updates_so_far: int) -> float:
    """``decay``, but less at first: an average over the last tenth of all updates, not over fresh weights."""
    return min(decay, (1 + updates_so_far) / (10 + updates_so_far))
