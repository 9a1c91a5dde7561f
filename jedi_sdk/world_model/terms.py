"""What the denoising loss says of itself in the log."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from jedi_sdk.config import ObjectiveConfig

SIGMA_BINS = (0.25, 0.5, 1.0)  # edges of the noise levels by which the loss is logged
EXPECTED = 1e-3  # draws of a batch; ranges with fewer stay dark


@torch.no_grad()
def denoise_terms(
    losses: Float[Tensor, "steps b"],
    sigmas: Float[Tensor, "steps b"],
    real: Bool[Tensor, "steps b"],
    shares: Sequence[float],
) -> dict[str, Tensor]:
    """The mean loss of each predicted step, and of each range of noise levels, in which ``shares`` of the draws fall.

    A range is divided by how many draws are to be expected there, so that the mean over many batches is right also
    where a batch has none.
    """
    terms = {f"denoise/step{i + 1}": losses[i].sum() / real[i].sum().clamp(min=1) for i in range(len(losses))}
    bins = torch.bucketize(sigmas, torch.tensor(SIGMA_BINS, device=sigmas.device))
    names = [f"<{SIGMA_BINS[0]}", *(f"<{edge}" for edge in SIGMA_BINS[1:]), f">{SIGMA_BINS[-1]}"]
    for i, name in enumerate(names):
        inside = (bins == i) & real
        terms[f"denoise/sigma{name}"] = (losses * inside).sum() / (real.sum() * shares[i]).clamp(min=EXPECTED)
    return terms


def bin_shares(objective: ObjectiveConfig) -> list[float]:
    """How often ln σ ~ N(p_mean, p_std²), clipped, falls into each range between ``SIGMA_BINS``."""
    low, high = objective.sigma_clip
    below = [float(edge >= high) if not low <= edge < high else _cdf(edge, objective) for edge in SIGMA_BINS]
    return [upper - lower for lower, upper in zip([0.0, *below], [*below, 1.0], strict=True)]


def _cdf(sigma: float, objective: ObjectiveConfig) -> float:
    return 0.5 * (1 + math.erf((math.log(sigma) - objective.p_mean) / (objective.p_std * math.sqrt(2))))


@torch.no_grad()
def latent_terms(z: Float[Tensor, "b t c h w"], context: int) -> dict[str, Tensor]:
    """The batch's spread of latents, and the mean square of their change behind the context."""
    return {
        "latent/std": z.flatten(0, 1).std(0).mean(),
        "latent/change": (z[:, context] - z[:, context - 1]).square().mean(),
    }
