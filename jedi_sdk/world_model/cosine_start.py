"""A start for the encoder that can be foreseen: the lowest frequencies of every patch, and nothing else yet.

Filters drawn at random answer to the finest grain of a patch. A boxer that moves by less than a pixel then changes
much of its latent, in a way that is hard to learn (docs/method.md, implementation detail 38). Cosines of low frequency
change little, and smoothly, as things move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jedi_sdk.nn import ConvBlock, zeroed

COLOURS = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (1.0, 1.0, -2.0))  # brightness and the two that are orthogonal to it


def low_frequencies(count: int, side: int) -> Float[Tensor, "count 3 side side"]:
    """The ``count`` slowest of the orthonormal cosines (DCT-II) of a patch in three colours; of two colours that
    change as slowly, brightness first.
    """
    waves = _cosines(side)
    colours = torch.nn.functional.normalize(torch.tensor(COLOURS), dim=1)
    grid = [(colour, i, j) for colour in range(3) for i in range(side) for j in range(side)]
    slowest = sorted(grid, key=lambda at: (at[1] ** 2 + at[2] ** 2 + (at[0] > 0) / 2, at))[:count]
    return torch.stack([torch.einsum("c,h,w->chw", colours[colour], waves[i], waves[j]) for colour, i, j in slowest])


def start_with_cosines(stem: nn.Conv2d, blocks: Iterable[ConvBlock]) -> None:
    """``stem`` gives the low frequencies of its patches; ``blocks`` hand on the first of them, and add nothing yet."""
    with torch.no_grad():
        stem.weight.copy_(low_frequencies(stem.out_channels, stem.kernel_size[0]))
        nn.init.zeros_(stem.bias)  # pyright: ignore[reportArgumentType]
        for block in blocks:
            zeroed(block.conv)
            if isinstance(block.skip, nn.Conv2d):
                nn.init.dirac_(block.skip.weight)
                nn.init.zeros_(block.skip.bias)  # pyright: ignore[reportArgumentType]


def _cosines(side: int) -> Float[Tensor, "frequency side"]:
    at = torch.arange(side) + 0.5
    return torch.nn.functional.normalize(torch.cos(math.pi / side * torch.outer(torch.arange(side), at)), dim=1)
