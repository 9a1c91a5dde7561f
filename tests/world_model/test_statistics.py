"""Std and effective rank on latents made for it."""

import pytest
import torch

from jedi_sdk.world_model.statistics import effective_rank, latent_std


def spread_over(directions: int) -> torch.Tensor:
    """Latents at ± one unit along each of some orthogonal directions, around a common offset."""
    axes = torch.linalg.qr(torch.randn(32, 32))[0][:directions]
    return (torch.cat([axes, -axes]) + 7).view(-1, 2, 4, 4)


@pytest.mark.parametrize("directions", [1, 3, 20])
def test_the_rank_counts_equal_directions(directions: int) -> None:
    assert float(effective_rank(spread_over(directions))) == pytest.approx(directions, rel=1e-3)


def test_a_faint_direction_counts_for_little_and_none_at_all_for_0() -> None:
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.01], [0.0, -0.01]]).view(4, 2, 1, 1)
    assert 1 < float(effective_rank(z)) < 1.1
    assert float(effective_rank(torch.ones(5, 2, 1, 1))) == 0


def test_the_std_is_over_the_data_and_not_over_a_latents_elements() -> None:
    z = torch.arange(2.0)[None, :, None, None] + torch.tensor([0.1, 0.3])[:, None, None] * torch.randn(20_000, 2, 1, 1)
    assert float(latent_std(z)) == pytest.approx(((0.01 + 0.09) / 2) ** 0.5, rel=0.02)
