"""A trunk for policies that read latents, whatever library trains them."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from jedi_sdk.dream.arguments import DreamError
from jedi_sdk.nn import ConvBlock, conv3x3, group_norm

SMALL = 4  # a feature map that is flattened is no higher and no wider


class LatentTrunk(nn.Module):
    """Latents of ``shape`` (c, h, w), single or stacked, to ``features`` numbers: convolutions, halved until small.

    On latents of 8x8 it is the first half of the trunk of JEDI's own actor-critic.
    """

    def __init__(self, shape: Sequence[int], features: int = 128, channels: int = 32) -> None:
        super().__init__()
        self.features, self.channels = features, channels
        if len(shape) != 3:
            raise DreamError(f"latents are (c, h, w), not {tuple(shape)}: obs='features' needs a network for vectors")
        c, h, w = shape
        layers: list[nn.Module] = [conv3x3(c, channels)]
        while max(h, w) > SMALL:
            layers += [ConvBlock(channels, channels), nn.MaxPool2d(2, ceil_mode=True)]
            h, w = -(-h // 2), -(-w // 2)
        head = [nn.Flatten(), nn.Linear(channels * h * w, features), nn.SiLU()]
        self.layers = nn.Sequential(*layers, group_norm(channels), nn.SiLU(), *head)

    def forward(self, z: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b d"]:
        return self.layers(z.reshape(-1, *z.shape[-3:])).reshape(*z.shape[:-3], -1)
