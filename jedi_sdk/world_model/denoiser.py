"""Denoiser D: EDM preconditioning, written once for loss and sampler, around a U-Net.

Karras et al. (2022), arXiv 2206.00364, section 5; offset noise as in DIAMOND. ``y`` is what is diffused: the next
latent or its standardised change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from jedi_sdk.config import DenoiserConfig, ObjectiveConfig
from jedi_sdk.layers import Linear
from jedi_sdk.nn import ActionEmbedding, FourierFeatures
from jedi_sdk.rng import Rng
from jedi_sdk.world_model.unet import UNet


@dataclass(frozen=True)
class Preconditioning:
    """EDM's table 1, per noise level: ``D(y; σ) = c_skip·y + c_out·F(c_in·y, c_noise)``."""

    c_skip: Float[Tensor, "n 1 1 1"]
    c_out: Float[Tensor, "n 1 1 1"]
    c_in: Float[Tensor, "n 1 1 1"]
    c_noise: Float[Tensor, "n"]


def precondition(sigma: Float[Tensor, "n"], sigma_data: float, offset_noise: float = 0.0) -> Preconditioning:
    """Offset noise is noise like any other: it adds to σ in quadrature everywhere, as in DIAMOND. In the clock, too: a
    dream's last call is at a σ that no update draws, but at a noise that all of them know.
    """
    var = (sigma.square() + offset_noise**2)[:, None, None, None]
    total = var + sigma_data**2
    return Preconditioning(
        c_skip=sigma_data**2 / total,
        c_out=var.sqrt() * sigma_data / total.sqrt(),
        c_in=1 / total.sqrt(),
        c_noise=var.flatten().log() / 8,
    )


class Denoiser(nn.Module):
    """D(y_noisy; σ, the last k latents and actions) -> estimate of the clean y, all (n, c, h, w).

    ``depths``: residual blocks a level of the U-Net; by default it has the one level of ``config.depth``.
    """

    def __init__(
        self,
        latent_shape: tuple[int, int, int],
        num_actions: int,
        context: int,
        config: DenoiserConfig,
        objective: ObjectiveConfig,
        depths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        channels, d = latent_shape[0], config.cond_channels
        self.objective = objective
        self.embed_noise = FourierFeatures(d)
        self.embed_act = ActionEmbedding(num_actions, context, d)
        self.embed = nn.Sequential(Linear(d, d), nn.SiLU(), Linear(d, d))
        self.unet = UNet((context + 1) * channels, channels, config, depths or (config.depth,))

    def forward(
        self,
        y_noisy: Float[Tensor, "n c h w"],
        sigma: Float[Tensor, "n"],
        z: Float[Tensor, "n k c h w"],
        act: Int64[Tensor, "n k"],
    ) -> Float[Tensor, "n c h w"]:
        p = self.precondition(sigma)
        return p.c_skip * y_noisy + p.c_out * self.network(p.c_in * y_noisy, p.c_noise, z, act)

    def precondition(self, sigma: Float[Tensor, "n"]) -> Preconditioning:
        return precondition(sigma, self.objective.sigma_data, self.objective.offset_noise)

    def network(self, y_scaled: Tensor, c_noise: Tensor, z: Tensor, act: Tensor) -> Tensor:
        """F of equation 8: (n, c, h, w) scaled noisy input and context -> (n, c, h, w)."""
        cond = self.embed(self.embed_noise(c_noise) + self.embed_act(act))
        o = self.objective
        context = z.flatten(1, 2) / (o.sigma_data if o.latent_scale == "none" else o.latent_std)
        return self.unet(torch.cat([y_scaled, context], dim=1), cond).float()

    def regress(self, z: Float[Tensor, "n k c h w"], act: Int64[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        """The ablation without diffusion (``predictor=mse``): y in one step from the context alone."""
        n, _, *latent_shape = z.shape
        blank = z.new_zeros(n, *latent_shape)
        return self.objective.sigma_data * self.network(blank, z.new_zeros(n), z, act)

    def sample_sigma(self, n: int, rng: Rng) -> Float[Tensor, "n"]:
        """ln σ ~ N(p_mean, p_std²), clipped."""
        o = self.objective
        return (o.p_mean + o.p_std * rng.normal(n)).exp().clamp(*o.sigma_clip)

    def add_noise(self, y: Float[Tensor, "n c h w"], sigma: Float[Tensor, "n"], rng: Rng) -> Tensor:
        n, c, _, _ = y.shape
        offset = self.objective.offset_noise * rng.normal(n, c, 1, 1)
        return y + offset + sigma[:, None, None, None] * rng.normal(*y.shape)
