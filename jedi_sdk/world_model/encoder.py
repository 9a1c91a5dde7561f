"""Encoder E: frames -> latents of 16x8x8, a plain convolutional network; and the clamp C."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from jedi_sdk.config import EncoderConfig
from jedi_sdk.layers import Conv2d
from jedi_sdk.nn import ConvBlock
from jedi_sdk.world_model.cosine_start import start_with_cosines

FRAME_SIZE = 64
LATENT_SIZE = 8


def clamp(z: Tensor, scale: float) -> Tensor:
    """C(z) = s·tanh(z/s): soft bounds at ±s (paper, s = 3)."""
    return scale * torch.tanh(z / scale)


def pixels(obs: Real[Tensor, "n H W 3"]) -> Float[Tensor, "n 3 H W"]:
    """Frames (0 to 255) as networks see them: -1 to 1, channels first in name and last in memory."""
    x = obs.to(torch.float32, copy=True)
    return x.mul_(1 / 127.5).sub_(1).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """(n, 3, 64, 64) in [-1, 1] -> (n, 16, 8, 8). Write your own with the same call and a ``latent_shape``.

    One block a stage, as many 2x2 max-pools behind the first stages as bring 64 down to 8. ``config.patch`` > 1
    replaces the full-resolution start by one strided convolution.

    What lies behind the last pool, all of it where there is none, is computed in float32, under autocast too: a game
    moves little of a frame, and what bfloat16 rounds off the whole is not little beside that (docs/method.md,
    implementation detail 36).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        stages = config.channels
        pools = int(math.log2(FRAME_SIZE // config.patch // LATENT_SIZE))
        widths = [stages[0], *stages]
        stem = _stem(config.patch, stages[0])
        layers: list[nn.Module] = [stem]
        for i in range(len(stages)):
            layers.append(ConvBlock(widths[i], widths[i + 1]))
            if i < pools:
                layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers)
        if config.start == "cosines":
            start_with_cosines(stem, [layer for layer in layers if isinstance(layer, ConvBlock)])
        self.rough = 1 + 2 * pools if pools else 0  # layers up to the last pool
        self.latent_shape = (stages[-1], LATENT_SIZE, LATENT_SIZE)

    def forward(self, x: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n c h w"]:
        x = self.layers[: self.rough](x)
        with torch.autocast(x.device.type, enabled=False):
            return self.layers[self.rough :](x.float())


def _stem(patch: int, channels: int) -> Conv2d:
    if patch == 1:
        return Conv2d(3, channels, kernel_size=3, padding=1)
    return Conv2d(3, channels, kernel_size=patch, stride=patch)
