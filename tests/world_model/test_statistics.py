"""Std and effective rank on latents made for it."""

import pytest
import torch

from jedi_sdk.world_model.statistics import effective_rank, latent_std, repeat_last


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


def test_repeating_the_last_is_right_where_nothing_moves_and_worth_nothing_where_all_is_noise() -> None:
    z = torch.randn(20_000, 1, 2, 2, 2)
    assert float(repeat_last(z.repeat(1, 2, 1, 1, 1))) == 0
    assert float(repeat_last(torch.randn(20_000, 2, 2, 2, 2))) == pytest.approx(2, rel=0.02)
    # x' = 0.6·x + 0.8·noise: E(x' - x)² = 2 - 2·0.6
    assert float(repeat_last(torch.cat([z, 0.6 * z + 0.8 * torch.randn_like(z)], 1))) == pytest.approx(0.8, rel=0.02)
    assert repeat_last(torch.ones(5, 2, 2, 2, 2)).isnan()


def test_only_the_ends_of_a_run_of_latents_count() -> None:
    """0 and 2 move to 1 and 7: (1 + 25)/2 over a variance of 9."""
    z = torch.tensor([[0.0, 99.0, 1.0], [2.0, -99.0, 7.0]]).view(2, 3, 1, 1, 1)
    assert float(repeat_last(z)) == pytest.approx(13 / 9)
