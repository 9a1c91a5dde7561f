"""What the log says of the denoising loss."""

from __future__ import annotations

import pytest
import torch

from jedi_sdk.config import ObjectiveConfig
from jedi_sdk.world_model.terms import bin_shares, denoise_terms


@pytest.mark.parametrize("p_mean", [-0.4, 0.4, 2.5])
def test_a_range_of_noise_that_a_batch_has_not_is_not_a_loss_of_zero(p_mean: float) -> None:
    """A loss of 1 everywhere is told as 1 in every range, over many batches, however rare its draws are."""
    objective = ObjectiveConfig(p_mean=p_mean)
    shares, generator = bin_shares(objective), torch.Generator().manual_seed(0)
    assert sum(shares) == pytest.approx(1)
    real, told = torch.ones(2, 32, dtype=torch.bool), []
    for _ in range(4_000):
        normal = torch.randn(2, 32, generator=generator)
        sigmas = (p_mean + objective.p_std * normal).exp().clamp(*objective.sigma_clip)
        told.append(denoise_terms(torch.ones(2, 32), sigmas, real, shares))
    for name in told[0]:
        assert torch.stack([terms[name] for terms in told]).mean().item() == pytest.approx(1, abs=0.15), name


def test_clipped_noise_has_no_range_beyond() -> None:
    assert bin_shares(ObjectiveConfig(sigma_clip=(0.3, 0.9)))[0] == 0
    assert bin_shares(ObjectiveConfig(sigma_clip=(0.3, 0.9)))[3] == 0
    assert sum(bin_shares(ObjectiveConfig(sigma_clip=(0.3, 0.9)))) == pytest.approx(1)
