"""What the denoising loss says of itself in the log."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

SIGMA_BINS = (0.25, 0.5, 1.0)  # edges of the noise levels by which the loss is logged


@torch.no_grad()
def denoise_terms(
    losses: Float[Tensor, "steps b"], sigmas: Float[Tensor, "steps b"], real: Bool[Tensor, "steps b"]
) -> dict[str, Tensor]:
    """The mean loss of each predicted step, and of each range of noise levels."""
    terms = {f"denoise/step{i + 1}": losses[i].sum() / real[i].sum().clamp(min=1) for i in range(len(losses))}
    bins = torch.bucketize(sigmas, torch.tensor(SIGMA_BINS, device=sigmas.device))
    names = [f"<{SIGMA_BINS[0]}", *(f"<{edge}" for edge in SIGMA_BINS[1:]), f">{SIGMA_BINS[-1]}"]
    for i, name in enumerate(names):
        inside = (bins == i) & real
        terms[f"denoise/sigma{name}"] = (losses * inside).sum() / inside.sum().clamp(min=1)
    return terms


@torch.no_grad()
def latent_terms(z: Float[Tensor, "b t c h w"], context: int) -> dict[str, Tensor]:
    """The batch's spread of latents, and the mean square of their change behind the context."""
    return {
        "latent/std": z.flatten(0, 1).std(0).mean(),
        "latent/change": (z[:, context] - z[:, context - 1]).square().mean(),
    }
