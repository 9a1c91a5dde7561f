"""Running scales: what brings latents, or their changes, to the spread that the noise levels expect (σ_data).

The paper leaves the scale of the latents open. Statistics are buffers, move only while training, and carry no
gradient; from the first batch on they are plain averages until the momentum takes over.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

EPSILON = 1e-6


class LatentScale(nn.Module):
    """Standardises latents to mean 0 (per element) and one common std of ``target``."""

    def __init__(self, latent_shape: tuple[int, int, int], target: float, momentum: float) -> None:
        super().__init__()
        self.target, self.momentum = target, momentum
        self.register_buffer("mean", torch.zeros(latent_shape))
        self.register_buffer("var", torch.ones(()))
        self.register_buffer("batches", torch.zeros(()))
        self.mean: Tensor
        self.var: Tensor
        self.batches: Tensor

    def forward(self, z: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c h w"]:
        return (z - self.mean) * (self.target / (self.var.sqrt() + EPSILON))

    @torch.no_grad()
    def update(self, z: Float[Tensor, "*n c h w"], mask: Bool[Tensor, "*n"]) -> None:
        real = mask[..., None, None, None].to(z.dtype)
        count = real.sum().clamp(min=1)
        mean = (z * real).flatten(0, -4).sum(0) / count
        var = ((z - mean).square() * real).sum() / (count * mean.numel())
        rate = _rate(self.batches, self.momentum)
        self.mean.lerp_(mean, rate)
        self.var.lerp_(var, rate)
        self.batches.add_(1)


class ChangeScale(nn.Module):
    """Brings the change z[t+1] - z[t] to a root mean square of ``target``, and back."""

    def __init__(self, target: float, momentum: float) -> None:
        super().__init__()
        self.target, self.momentum = target, momentum
        self.register_buffer("mean_square", torch.ones(()))
        self.register_buffer("batches", torch.zeros(()))
        self.mean_square: Tensor
        self.batches: Tensor

    def forward(self, change: Tensor) -> Tensor:
        return change * (self.target / (self.mean_square.sqrt() + EPSILON))

    def inverse(self, y: Tensor) -> Tensor:
        return y * ((self.mean_square.sqrt() + EPSILON) / self.target)

    @torch.no_grad()
    def update(self, change: Float[Tensor, "n c h w"], mask: Bool[Tensor, "n"]) -> None:
        real = mask[:, None, None, None].to(change.dtype)
        mean_square = (change.square() * real).sum() / (real.sum().clamp(min=1) * change[0].numel())
        self.mean_square.lerp_(mean_square, _rate(self.batches, self.momentum))
        self.batches.add_(1)


def _rate(batches: Tensor, momentum: float) -> Tensor:
    return torch.clamp(1 / (batches + 1), min=1 - momentum)
