"""The running scales on data whose moments are known."""

import pytest
import torch

from jedi_sdk.world_model.scale import ChangeScale, LatentScale

SHAPE = (2, 4, 4)


def test_latents_get_mean_0_per_element_and_one_common_std() -> None:
    scale = LatentScale(SHAPE, target=0.5, momentum=0.99)
    centre = torch.randn(SHAPE)
    spread = torch.tensor([0.1, 0.3])[:, None, None]  # common std: √((0.01 + 0.09)/2)
    for _ in range(300):
        scale.update(centre + spread * torch.randn(8, 4, *SHAPE), torch.ones(8, 4, dtype=torch.bool))
    z = scale(centre + spread * torch.randn(4_000, *SHAPE))
    assert float(z.mean(0).abs().max()) < 0.05
    assert float(z.std(0).square().mean().sqrt()) == pytest.approx(0.5, rel=0.05)
    assert float(z[:, 1].std() / z[:, 0].std()) == pytest.approx(3, rel=0.05)  # not one std for each


def test_the_first_batch_is_believed_and_the_next_ones_averaged_until_the_momentum_takes_over() -> None:
    scale, real = LatentScale(SHAPE, target=1.0, momentum=0.75), torch.ones(2, dtype=torch.bool)
    means = []
    for value in (8.0, 0.0, 4.0, 4.0, 0.0):
        scale.update(torch.full((2, *SHAPE), value), real)
        means.append(float(scale.mean.mean()))
    assert means == pytest.approx([8, 4, 4, 4, 3])  # 1, 1/2, 1/3, 1/4, then 1/4 again


def test_frames_of_no_episode_do_not_count() -> None:
    z = torch.randn(6, 4, *SHAPE)
    mask = torch.rand(6, 4) < 0.5
    some, only = LatentScale(SHAPE, 0.5, 0.99), LatentScale(SHAPE, 0.5, 0.99)
    some.update(torch.where(mask[..., None, None, None], z, 1e3), mask)
    only.update(z[mask], torch.ones(int(mask.sum()), dtype=torch.bool))
    torch.testing.assert_close(some.mean, only.mean)
    torch.testing.assert_close(some.var, only.var)
    assert float(only.mean[0, 0, 0]) == pytest.approx(float(z[mask][:, 0, 0, 0].mean()), abs=1e-6)


def test_changes_get_the_root_mean_square_asked_for_and_come_back() -> None:
    scale = ChangeScale(target=0.5, momentum=0.99)
    for _ in range(300):
        scale.update(0.02 * torch.randn(8, *SHAPE), torch.ones(8, dtype=torch.bool))
    change = 0.02 * torch.randn(4_000, *SHAPE)
    assert float(scale(change).square().mean().sqrt()) == pytest.approx(0.5, rel=0.02)
    torch.testing.assert_close(scale.inverse(scale(change)), change)


def test_changes_across_a_cut_do_not_count() -> None:
    scale, change = ChangeScale(0.5, 0.99), torch.ones(4, *SHAPE)
    change[2:] = 1e3
    scale.update(change, torch.tensor([True, True, False, False]))
    assert float(scale.mean_square) == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [LatentScale(SHAPE, 0.5, 0.99), ChangeScale(0.5, 0.99)])
def test_nothing_moves_or_learns_without_an_update(scale) -> None:
    before = {name: value.clone() for name, value in scale.state_dict().items()}
    scale(torch.randn(3, *SHAPE) + 7)
    assert all(torch.equal(value, before[name]) for name, value in scale.state_dict().items())
    assert not list(scale.parameters())


def test_a_batch_of_equal_frames_leaves_everything_finite() -> None:
    scale, change_scale, real = LatentScale(SHAPE, 0.5, 0.99), ChangeScale(0.5, 0.99), torch.ones(2, dtype=torch.bool)
    scale.update(torch.ones(2, *SHAPE), real)
    change_scale.update(torch.zeros(2, *SHAPE), real)
    assert not scale(torch.ones(2, *SHAPE)).any()
    assert not change_scale(torch.zeros(2, *SHAPE)).any()
