"""Preconditioning against the closed form: for data ~ N(μ, σ_data²) the best denoiser is known,
D*(y; σ) = (σ_data²·y + σ²·μ)/(σ² + σ_data²)."""

import math
from dataclasses import replace

import pytest
import torch

from jedi_sdk.config import Config, ObjectiveConfig
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import Denoiser
from jedi_sdk.world_model.denoiser import precondition

SD, SHAPE = 0.5, (4, 8, 8)
SIGMAS = [2e-3, 0.1, 0.5, 2.0, 20.0]


def levels(sigma: float, n: int = 1) -> torch.Tensor:
    return torch.full((n,), sigma)


def build(tiny: Config, **objective) -> Denoiser:
    return Denoiser(SHAPE, 3, tiny.context, tiny.denoiser, replace(ObjectiveConfig(), **objective))


def context(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 4, *SHAPE), torch.zeros(n, 4, dtype=torch.int64)


class Constant(torch.nn.Module):
    """F for a Gaussian of mean μ: what equation 8 asks of it on average, whatever y is."""

    def __init__(self, mean: float, var: float) -> None:
        super().__init__()
        self.value = math.sqrt(var / (var + SD**2)) * mean / SD

    def forward(self, x: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), *SHAPE), self.value)


def test_edms_table_where_noise_equals_data() -> None:
    p = precondition(torch.tensor([0.5]), SD)
    assert float(p.c_skip) == pytest.approx(0.5)
    assert float(p.c_out) == pytest.approx(0.5 / math.sqrt(2))
    assert float(p.c_in) == pytest.approx(math.sqrt(2))
    assert float(p.c_noise) == pytest.approx(math.log(0.5) / 4)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_offset_noise_adds_in_quadrature(sigma: float) -> None:
    with_offset = precondition(levels(sigma), SD, offset_noise=0.3)
    alike = precondition(levels(math.hypot(sigma, 0.3)), SD)
    for name in ("c_skip", "c_out", "c_in", "c_noise"):
        torch.testing.assert_close(getattr(with_offset, name), getattr(alike, name))


@pytest.mark.parametrize("offset_noise", [0.0, 0.3])
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("mean", [0.0, 1.5])
def test_with_the_network_equation_8_asks_for_it_is_the_optimal_denoiser(
    tiny: Config, mean: float, sigma: float, offset_noise: float
) -> None:
    denoiser, y = build(tiny, offset_noise=offset_noise), torch.randn(3, *SHAPE)
    var = sigma**2 + offset_noise**2
    denoiser.unet = Constant(mean, var)  # type: ignore[assignment]
    expected = (SD**2 * y + var * mean) / (var + SD**2)
    torch.testing.assert_close(denoiser(y, levels(sigma, 3), *context(3)), expected, rtol=1e-5, atol=1e-5)


def test_a_fresh_network_leaves_the_skip_alone_which_is_optimal_for_mean_0(tiny: Config) -> None:
    y = torch.randn(3, *SHAPE)
    denoised = build(tiny, offset_noise=0.0)(y, levels(0.7, 3), *context(3))
    torch.testing.assert_close(denoised, y * SD**2 / (0.7**2 + SD**2))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_on_the_noise_really_added_the_errors_are_as_small_as_they_can_be(tiny: Config, sigma: float) -> None:
    """The conditional variance σ²σ_data²/(σ²+σ_data²), and nothing of the noisy input is left in the error."""
    n, mean, var = 1_500, 1.5, sigma**2 + 0.3**2
    denoiser = build(tiny, offset_noise=0.3)
    denoiser.unet = Constant(mean, var)  # type: ignore[assignment]
    z = mean + SD * torch.randn(n, *SHAPE)
    y = denoiser.add_noise(z, levels(sigma, n), Rng(0))
    error = denoiser(y, levels(sigma, n), *context(n)) - z
    best = var * SD**2 / (var + SD**2)
    assert float(error.mean()) == pytest.approx(0, abs=0.05 * math.sqrt(best))
    assert float(error.square().mean()) == pytest.approx(best, rel=0.05)
    assert float((error * (y - mean)).mean()) == pytest.approx(0, abs=0.05 * math.sqrt(best * (var + SD**2)))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_what_the_network_is_asked_for_and_what_it_is_given_have_unit_variance(tiny: Config, sigma: float) -> None:
    """The design of EDM's table 1, at every noise level, on the noise really added."""
    denoiser, z = build(tiny, offset_noise=0.3), SD * torch.randn(3_000, *SHAPE)
    y = denoiser.add_noise(z, levels(sigma, 3_000), Rng(0))
    p = denoiser.precondition(levels(sigma, 3_000))
    assert float(((z - p.c_skip * y) / p.c_out).var()) == pytest.approx(1, rel=0.03)
    assert float((p.c_in * y).var()) == pytest.approx(1, rel=0.03)


def test_the_noise_has_a_part_shared_by_all_positions_of_a_channel(tiny: Config) -> None:
    denoiser = build(tiny, offset_noise=0.3)
    noise = denoiser.add_noise(torch.zeros(4_000, *SHAPE), levels(0.4, 4_000), Rng(0))
    assert float(noise.var()) == pytest.approx(0.4**2 + 0.3**2, rel=0.03)
    assert float((noise[:, 0, 0, 0] * noise[:, 0, 5, 3]).mean()) == pytest.approx(0.3**2, abs=0.02)
    assert float((noise[:, 0, 0, 0] * noise[:, 1, 0, 0]).mean()) == pytest.approx(0, abs=0.02)


def test_noise_levels_are_lognormal_and_clipped(tiny: Config) -> None:
    log_sigma = build(tiny, p_mean=-0.4, p_std=1.2).sample_sigma(50_000, Rng(0)).log()
    assert float(log_sigma.mean()) == pytest.approx(-0.4, abs=0.02)
    assert float(log_sigma.std()) == pytest.approx(1.2, abs=0.02)
    narrow = build(tiny, sigma_clip=(0.5, 0.8)).sample_sigma(1_000, Rng(0))
    assert (float(narrow.min()), float(narrow.max())) == pytest.approx((0.5, 0.8))


def test_the_network_hears_the_noise_level_the_context_and_every_action(tiny: Config, wake) -> None:
    denoiser = wake(build(tiny))
    y, sigma, (z, act) = torch.randn(1, *SHAPE), levels(0.5), context(1)
    base = denoiser(y, sigma, z, act)
    for k in range(4):
        other_z, other_act = z.clone(), act.clone()
        other_z[:, k] += 1
        other_act[:, k] = 2
        assert not torch.allclose(denoiser(y, sigma, other_z, act), base, atol=1e-4)
        assert not torch.allclose(denoiser(y, sigma, z, other_act), base, atol=1e-4)
    p, blank = denoiser.precondition(sigma), torch.zeros(1)
    assert not torch.allclose(denoiser.network(y, p.c_noise, z, act), denoiser.network(y, blank, z, act), atol=1e-4)
