"""Running scales: what brings latents, or their changes, to the spread that the noise levels expect (σ_data).

The paper leaves the scale of the latents open. Statistics are buffers and move only while training; from the first
batch on they are plain averages until the momentum takes over.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

EPSILON = 1e-6
FLOOR = 1e-4  # of the channels' mean variance: a channel in which nothing moves is not blown up


class FrameMean(nn.Module):
    """The mean frame so far, as counts from 0 to 255; mid-grey before there was one."""

    SLOWEST = 1e-3  # of the mean's rates: it must not run after the latest frames

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full(shape, 127.5))
        self.register_buffer("batches", torch.zeros(()))
        self.mean: Tensor
        self.batches: Tensor

    def forward(self) -> Float[Tensor, "1 H W 3"]:
        return self.mean[None]

    @torch.no_grad()
    def update(self, obs: UInt8[Tensor, "*n H W 3"], mask: Bool[Tensor, "*n"]) -> None:
        """``mask``: which of the frames are real."""
        real = mask.flatten()[:, None, None, None]
        mean = (obs.flatten(0, -4) * real).sum(0, dtype=torch.float32) / real.sum().clamp(min=1)
        self.mean.lerp_(mean, _rate(self.batches, 1 - self.SLOWEST))
        self.batches.add_(1)


class LatentScale(nn.Module):
    """Standardises latents to mean 0 (per element) and a std of ``target``: one for all, or that of each channel."""

    def __init__(
        self, latent_shape: tuple[int, int, int], target: float, momentum: float, each_channel: bool = False
    ) -> None:
        super().__init__()
        self.target, self.momentum = target, momentum
        self.register_buffer("mean", torch.zeros(latent_shape))
        self.register_buffer("var", torch.ones(latent_shape[0], 1, 1) if each_channel else torch.ones(()))
        self.register_buffer("batches", torch.zeros(()))
        self.mean: Tensor
        self.var: Tensor
        self.batches: Tensor

    def forward(
        self, z: Float[Tensor, "*n c h w"], mask: Bool[Tensor, "*n"] | None = None
    ) -> Float[Tensor, "*n c h w"]:
        """By the running statistics. With ``mask``, which says what of the batch is real, the gradient is that of
        batch normalisation: batch renormalisation (Ioffe 2017, arXiv 1702.03275).

        A shift of all latents alike would be taken back by the statistics and changes nothing; a gradient that does
        not know it pushes the encoder on and on in that direction, faster than the running mean can follow.
        """
        std = _std(self.var)
        if mask is not None and z.requires_grad:
            mean, var = self._moments(z, mask)
            std_batch = _std(var)
            shift, stretch = (mean - self.mean).detach() / std, (std_batch / std).detach()
            return self.target * ((z - mean) / std_batch * stretch + shift)
        return (z - self.mean) * (self.target / std)

    @torch.no_grad()
    def update(self, z: Float[Tensor, "*n c h w"], mask: Bool[Tensor, "*n"]) -> None:
        mean, var = self._moments(z, mask)
        rate = _rate(self.batches, self.momentum)
        self.mean.lerp_(mean, rate)
        self.var.lerp_(var, rate)
        self.batches.add_(1)

    def _moments(self, z: Float[Tensor, "*n c h w"], mask: Bool[Tensor, "*n"]) -> tuple[Float[Tensor, "c h w"], Tensor]:
        """Of the real latents: each element's mean, and the variance around it of all elements, or of a channel's."""
        real = mask[..., None, None, None].to(z.dtype)
        count = real.sum().clamp(min=1)
        mean = (z * real).flatten(0, -4).sum(0) / count
        spread = ((z - mean).square() * real).flatten(0, -4).sum(0) / count
        return mean, spread.mean((1, 2), keepdim=True) if self.var.ndim else spread.mean()


def _std(var: Tensor) -> Tensor:
    """Not sqrt(var): its slope at 0 is infinite."""
    floor = FLOOR * var.mean() if var.ndim else 0.0
    return (var + floor + EPSILON**2).sqrt()


class TargetScale(nn.Module):
    """Brings what is diffused, the next latent or its change, to a root mean square of ``target``, and back."""

    def __init__(self, target: float, momentum: float) -> None:
        super().__init__()
        self.target, self.momentum = target, momentum
        self.register_buffer("mean_square", torch.ones(()))
        self.register_buffer("batches", torch.zeros(()))
        self.mean_square: Tensor
        self.batches: Tensor

    def forward(self, y: Tensor) -> Tensor:
        return y * (self.target / (self.mean_square.sqrt() + EPSILON))

    def inverse(self, y: Tensor) -> Tensor:
        return y * ((self.mean_square.sqrt() + EPSILON) / self.target)

    @torch.no_grad()
    def update(self, y: Float[Tensor, "n c h w"], mask: Bool[Tensor, "n"]) -> None:
        real = mask[:, None, None, None].to(y.dtype)
        mean_square = (y.square() * real).sum() / (real.sum().clamp(min=1) * y[0].numel())
        self.mean_square.lerp_(mean_square, _rate(self.batches, self.momentum))
        self.batches.add_(1)


def _rate(batches: Tensor, momentum: float) -> Tensor:
    return torch.clamp(1 / (batches + 1), min=1 - momentum)
