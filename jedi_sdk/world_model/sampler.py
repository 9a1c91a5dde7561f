"""Sampling from a denoiser: Karras et al. (2022), arXiv 2206.00364, equation 5 and algorithm 2, as functions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from jedi_sdk.config import SamplerConfig

Denoise = Callable[[Tensor, float], Tensor]  # D(y_noisy; sigma) -> estimate of the clean y
Noise = Callable[[], Tensor]  # fresh unit noise of y's shape


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float) -> list[float]:
    """``steps`` noise levels from ``sigma_max`` down to ``sigma_min`` (equation 5), then 0."""
    ramp = [i / max(steps - 1, 1) for i in range(steps)]
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return [(high + r * (low - high)) ** rho for r in ramp] + [0.0]


@torch.no_grad()
def sample(
    denoise: Denoise, y: Float[Tensor, "n c h w"], config: SamplerConfig, noise: Noise
) -> Float[Tensor, "n c h w"]:
    """Algorithm 2 (stochastic Euler or Heun), from unit noise ``y`` to a sample.

    EDM scales the first noise to σ_max; DIAMOND leaves it at unit size (``config.start``).
    ``noise`` is only called where ``config.s_churn`` > 0 puts noise back in.
    """
    sigmas = karras_sigmas(config.steps, config.sigma_min, config.sigma_max, config.rho)
    y = y * sigmas[0] if config.start == "sigma_max" else y
    for sigma, sigma_next in itertools.pairwise(sigmas):
        y, sigma_hat = _churn(y, sigma, config, noise)
        slope = (y - denoise(y, sigma_hat)) / sigma_hat
        y_next = y + (sigma_next - sigma_hat) * slope
        if config.method == "heun" and sigma_next > 0:
            slope_next = (y_next - denoise(y_next, sigma_next)) / sigma_next
            y_next = y + (sigma_next - sigma_hat) * (slope + slope_next) / 2
        y = y_next
    return y


def _churn(y: Tensor, sigma: float, config: SamplerConfig, noise: Noise) -> tuple[Tensor, float]:
    """Raises the noise level from σ to σ̂ = σ(1+γ) by adding fresh noise (algorithm 2, lines 4-6)."""
    if config.s_churn == 0 or not config.s_tmin <= sigma <= config.s_tmax:
        return y, sigma
    sigma_hat = sigma * (1 + min(config.s_churn / config.steps, math.sqrt(2) - 1))
    return y + math.sqrt(sigma_hat**2 - sigma**2) * config.s_noise * noise(), sigma_hat
