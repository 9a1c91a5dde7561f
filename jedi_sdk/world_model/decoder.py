"""A decoder of latents into frames. JEDI has none: it is an ablation, and a probe that looks in and never teaches."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from jedi_sdk.nn import ConvBlock, conv3x3, group_norm
from jedi_sdk.world_model.encoder import FRAME_SIZE

PATCH = 4  # pixels a side that the last convolution paints at once: cheaper than layers at full resolution


class Decoder(nn.Module):
    """(n, c, h, w) -> (n, 3, 64, 64): frames as the encoder sees them."""

    def __init__(self, latent_shape: tuple[int, int, int], channels: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv3x3(latent_shape[0], channels),
            ConvBlock(channels, channels),
            nn.Upsample(size=FRAME_SIZE // PATCH, mode="nearest"),
            ConvBlock(channels, channels),
            group_norm(channels),
            nn.SiLU(),
            conv3x3(channels, 3 * PATCH**2),
            nn.PixelShuffle(PATCH),
        )

    def forward(self, z: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 H W"]:
        return self.layers(z).float()
