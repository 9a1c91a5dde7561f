"""How spread out latents are: the figures that tell a collapse."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


@torch.no_grad()
def latent_std(z: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Root mean variance of the latents' elements over the data."""
    return z.var(0).mean().sqrt()


@torch.no_grad()
def effective_rank(z: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """exp of the entropy of the normalised singular values (Roy & Vetterli 2007), at most min(n, c·h·w).

    1 where all latents lie on a line, 0 where they are all the same, and NaN where one is not finite.
    """
    x = z.flatten(1).double()
    if not x.isfinite().all():
        return z.new_tensor(float("nan"))
    singular = torch.linalg.svdvals(x - x.mean(0))
    if not singular.sum() > 0:
        return z.new_zeros(())
    p = singular / singular.sum()
    return (-(p * p.clamp(min=1e-300).log()).sum()).exp().float()


@torch.no_grad()
def repeat_last(z: Float[Tensor, "n pair *shape"]) -> Float[Tensor, ""]:
    """Mean squared change from the first latent of each pair to the last, over the variance of the last ones.

    0 where nothing moves, 2 where neighbours have nothing in common; NaN where nothing ever changes.
    """
    return (z[:, -1] - z[:, 0]).square().mean() / z[:, -1].var(0, correction=0).mean()
