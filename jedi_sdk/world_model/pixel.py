"""``space=pixel``, the baseline: frames are their own latents, and the networks are DIAMOND's (arXiv 2405.12399)."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from jedi_sdk.config import Config, ConfigError
from jedi_sdk.world_model.denoiser import Denoiser
from jedi_sdk.world_model.encoder import FRAME_SIZE
from jedi_sdk.world_model.heads import Heads

HALF_RANGE = 127.5  # a byte's 255 steps, over the range from -1 to 1


class Frames(nn.Module):
    """The encoder that leaves frames (n, 3, 64, 64) in [-1, 1] as they are. It has nothing to learn."""

    latent_shape = (3, FRAME_SIZE, FRAME_SIZE)

    def forward(self, x: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 3 H W"]:
        return x


def pixel_denoiser(config: Config, num_actions: int) -> Denoiser:
    """Its U-Net has a level for each of ``config.pixel.depths``."""
    sizes = replace(config.denoiser, channels=config.pixel.channels)
    return Denoiser(Frames.latent_shape, num_actions, config.context, sizes, config.objective, config.pixel.depths)


def pixel_heads(config: Config, num_actions: int) -> Heads:
    """They halve the frame between stages, and need no pool before the LSTM."""
    pixel = config.pixel
    sizes = replace(config.heads, channels=pixel.heads_channels, depths=pixel.depths, pool=False)
    return Heads(Frames.latent_shape, num_actions, sizes, halving=True)


def refuse_encoder(encoder: nn.Module | None) -> None:
    if encoder is not None:
        raise ConfigError(
            f"space=pixel has no encoder, and {type(encoder).__name__} was passed: leave encoder= out, or space=pixel"
        )


def quantise(z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The nearest frame: each element one of the 256 values that a byte stands for."""
    return z.clamp(-1, 1).add(1).mul(HALF_RANGE).round().mul(1 / HALF_RANGE).sub(1)
