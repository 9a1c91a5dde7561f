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

    1 where all latents lie on a line, and 0 where they are all the same.
    """
    x = z.flatten(1).double()
    singular = torch.linalg.svdvals(x - x.mean(0))
    if not singular.sum() > 0:
        return z.new_zeros(())
    p = singular / singular.sum()
    return (-(p * p.clamp(min=1e-300).log()).sum()).exp().float()
