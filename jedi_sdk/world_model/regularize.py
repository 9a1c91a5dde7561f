"""Guards against collapse that the paper leaves out: both want latents that are spread out in every direction.

They take ``z`` (n, d), scaled so that a well spread element has variance 1.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from jedi_sdk.rng import Rng

DIRECTIONS = 256  # SIGReg: random projections a batch
POINTS, RANGE = 17, 5.0  # SIGReg: where on -RANGE...RANGE the characteristic function is compared


def vicreg(z: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Variance and covariance terms of VICReg (Bardes et al. 2022, arXiv 2105.04906), equally weighted."""
    n, d = z.shape
    z = z - z.mean(0)
    variance = torch.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()
    covariance = z.T @ z / (n - 1)
    off_diagonal = covariance.square().sum() - covariance.diagonal().square().sum()
    return variance + off_diagonal / d


def sigreg(z: Float[Tensor, "n d"], rng: Rng) -> Float[Tensor, ""]:
    """SIGReg (Balestriero & LeCun 2025, arXiv 2511.08544): is every projection a standard Gaussian?

    The Epps-Pulley distance between the empirical characteristic function of each random projection and
    exp(-t²/2), weighted by exp(-t²/2) and integrated over t.
    """
    directions = rng.normal(z.shape[1], DIRECTIONS)
    x = z @ (directions / directions.norm(dim=0))
    t = torch.linspace(-RANGE, RANGE, POINTS, device=z.device)
    angle = x[..., None] * t
    gaussian = (-t.square() / 2).exp()
    distance = (angle.cos().mean(0) - gaussian).square() + angle.sin().mean(0).square()
    return torch.trapezoid(distance * gaussian, dx=2 * RANGE / (POINTS - 1)).mean() / math.sqrt(2 * math.pi)
