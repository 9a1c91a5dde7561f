"""The running scales on data whose moments are known."""

import pytest
import torch

from jedi_sdk.world_model.scale import FrameMean, LatentScale, TargetScale

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


def test_each_channel_may_have_a_std_of_its_own() -> None:
    scale = LatentScale(SHAPE, target=0.5, momentum=0.99, each_channel=True)
    centre, spread = torch.randn(SHAPE), torch.tensor([0.1, 0.3])[:, None, None]
    for _ in range(300):
        scale.update(centre + spread * torch.randn(8, 4, *SHAPE), torch.ones(8, 4, dtype=torch.bool))
    z = scale(centre + spread * torch.randn(4_000, *SHAPE))
    assert z.std((0, 2, 3)).tolist() == pytest.approx([0.5, 0.5], rel=0.05)


def test_the_first_batch_is_believed_and_the_next_ones_averaged_until_the_momentum_takes_over() -> None:
    scale, real = LatentScale(SHAPE, target=1.0, momentum=0.75), torch.ones(2, dtype=torch.bool)
    means = []
    for value in (8.0, 0.0, 4.0, 4.0, 0.0):
        scale.update(torch.full((2, *SHAPE), value), real)
        means.append(float(scale.mean.mean()))
    assert means == pytest.approx([8, 4, 4, 4, 3])  # 1, 1/2, 1/3, 1/4, then 1/4 again


def test_a_channel_in_which_nothing_moves_is_not_blown_up() -> None:
    """Its rounding errors, a hundred thousandth of what the other channel moves by, grow a hundredfold at most."""
    scale, real = LatentScale(SHAPE, 0.5, 0.99, each_channel=True), torch.ones(200, dtype=torch.bool)
    features = torch.tensor([1.0, 1e-5])[:, None, None] * torch.randn(200, *SHAPE)
    scale.update(features, real)
    features.requires_grad_()
    z = scale(features, real)
    assert float(z[:, 1].detach().std()) < 2e-3 * float(z[:, 0].detach().std())
    (z * torch.randn_like(z)).sum().backward()
    assert features.grad is not None
    assert float(features.grad[:, 1].std()) < 200 * float(features.grad[:, 0].std())


@pytest.mark.parametrize("each_channel", [False, True])
def test_frames_of_no_episode_do_not_count(each_channel: bool) -> None:
    z = torch.randn(6, 4, *SHAPE)
    mask = torch.rand(6, 4) < 0.5
    some, only = LatentScale(SHAPE, 0.5, 0.99, each_channel), LatentScale(SHAPE, 0.5, 0.99, each_channel)
    some.update(torch.where(mask[..., None, None, None], z, 1e3), mask)
    only.update(z[mask], torch.ones(int(mask.sum()), dtype=torch.bool))
    torch.testing.assert_close(some.mean, only.mean)
    torch.testing.assert_close(some.var, only.var)
    assert float(only.mean[0, 0, 0]) == pytest.approx(float(z[mask][:, 0, 0, 0].mean()), abs=1e-6)


def test_changes_get_the_root_mean_square_asked_for_and_come_back() -> None:
    scale = TargetScale(target=0.5, momentum=0.99)
    for _ in range(300):
        scale.update(0.02 * torch.randn(8, *SHAPE), torch.ones(8, dtype=torch.bool))
    change = 0.02 * torch.randn(4_000, *SHAPE)
    assert float(scale(change).square().mean().sqrt()) == pytest.approx(0.5, rel=0.02)
    torch.testing.assert_close(scale.inverse(scale(change)), change)


def test_changes_across_a_cut_do_not_count() -> None:
    scale, change = TargetScale(0.5, 0.99), torch.ones(4, *SHAPE)
    change[2:] = 1e3
    scale.update(change, torch.tensor([True, True, False, False]))
    assert float(scale.mean_square) == pytest.approx(1.0)


def renormalised(features: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a batch that teaches becomes where the running statistics are others, and the gradient of ``weight``."""
    scale = LatentScale(SHAPE, 0.5, 0.99)
    scale.update(1 + 3 * torch.randn(50, *SHAPE), torch.ones(50, dtype=torch.bool))
    features = features.clone().requires_grad_()
    z = scale(features, mask)
    torch.testing.assert_close(z, scale(features), rtol=1e-4, atol=1e-5)  # its values are those of the statistics
    (z * weight).sum().backward()
    assert features.grad is not None
    return z.detach(), features.grad


def test_a_batch_that_teaches_has_the_gradient_of_batch_normalisation() -> None:
    """By hand: of (x - m)/s with the batch's own m and s, times its std over the running one."""
    features, weight, real = 2 + torch.randn(7, *SHAPE), torch.randn(7, *SHAPE), torch.ones(7, dtype=torch.bool)
    z, gradient = renormalised(features, real, weight)
    x = features.double().requires_grad_()
    centred = x - x.mean(0)
    ((centred / centred.square().mean().sqrt()) * weight).sum().backward()
    stretch = z.double().sub(z.double().mean(0)).square().mean().sqrt()  # 0.5 times the batch's std over the running
    torch.testing.assert_close(gradient, (stretch * x.grad).float(), rtol=1e-3, atol=1e-5)


def test_its_gradient_neither_shifts_the_batch_nor_stretches_it() -> None:
    """Only the real latents: what the mask leaves out is measured by statistics that it has no part in."""
    features, weight = torch.randn(5, 4, *SHAPE), torch.randn(5, 4, *SHAPE)
    mask = torch.ones(5, 4, dtype=torch.bool)
    mask[0, :2], mask[3, 3:] = False, False
    _, gradient = renormalised(features, mask, weight * mask[..., None, None, None])
    real = features[mask] - features[mask].mean(0)
    assert float(gradient[mask].sum(0).abs().max()) < 1e-5
    assert abs(float((gradient[mask] * real).sum())) < 1e-3 * float((gradient[mask] * real).abs().sum())
    assert not gradient[~mask].any()
    assert float(gradient[mask].abs().mean()) > 0.01


def test_without_gradient_nothing_but_the_statistics_counts() -> None:
    """A batch of one value, which has no spread of its own, goes where the statistics say."""
    scale, real = LatentScale(SHAPE, 0.5, 0.99), torch.ones(50, dtype=torch.bool)
    scale.update(torch.cat([torch.full((25, *SHAPE), 1.0), torch.full((25, *SHAPE), 5.0)]), real)
    for batch in (torch.full((4, *SHAPE), 7.0), torch.full((4, *SHAPE), 7.0, requires_grad=True)):
        z = scale(batch, real[:4]).detach()
        torch.testing.assert_close(z, torch.full((4, *SHAPE), 0.5 * (7 - 3) / 2))


def test_the_mean_frame_is_a_plain_mean_that_slows_down_to_a_crawl() -> None:
    mean, told = FrameMean((2, 2, 3)), []
    for value in (8, 0, 4, 4):
        frames = torch.full((5, 2, 2, 3), value, dtype=torch.uint8)
        padded = torch.cat([frames, torch.full((3, 2, 2, 3), 99, dtype=torch.uint8)])
        mean.update(padded, torch.arange(8) < 5)
        told.append(float(mean.mean.mean()))
    assert told == pytest.approx([8, 4, 4, 4])
    mean.batches.fill_(1e6)
    mean.update(torch.full((5, 2, 2, 3), 204, dtype=torch.uint8), torch.ones(5, dtype=torch.bool))
    assert float(mean.mean.mean()) == pytest.approx(4.2, rel=1e-4)  # a thousandth of the way


def test_the_mean_frame_is_grey_before_there_was_one_and_then_each_pixels_own_mean() -> None:
    mean = FrameMean((1, 2, 3))
    assert torch.equal(mean(), torch.full((1, 1, 2, 3), 127.5))
    frames = torch.tensor([[[[10] * 3, [0] * 3]], [[[10] * 3, [220] * 3]]], dtype=torch.uint8)
    mean.update(frames, torch.ones(2, dtype=torch.bool))
    torch.testing.assert_close(mean()[0, 0], torch.tensor([[10.0] * 3, [110.0] * 3]))


@pytest.mark.parametrize("scale", [LatentScale(SHAPE, 0.5, 0.99), TargetScale(0.5, 0.99)])
def test_nothing_moves_or_learns_without_an_update(scale) -> None:
    before = {name: value.clone() for name, value in scale.state_dict().items()}
    scale(torch.randn(3, *SHAPE) + 7)
    assert all(torch.equal(value, before[name]) for name, value in scale.state_dict().items())
    assert not list(scale.parameters())


def test_a_batch_of_equal_frames_leaves_everything_finite() -> None:
    scale, target_scale, real = LatentScale(SHAPE, 0.5, 0.99), TargetScale(0.5, 0.99), torch.ones(2, dtype=torch.bool)
    scale.update(torch.ones(2, *SHAPE), real)
    target_scale.update(torch.zeros(2, *SHAPE), real)
    assert not scale(torch.ones(2, *SHAPE)).any()
    assert not target_scale(torch.zeros(2, *SHAPE)).any()


@pytest.mark.parametrize("frames", [1, 4])
def test_latents_that_are_all_the_same_have_a_finite_gradient(frames: int) -> None:
    z = torch.ones(frames, *SHAPE, requires_grad=True)
    LatentScale(SHAPE, 0.5, 0.9)(z, torch.ones(frames, dtype=torch.bool)).square().sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
