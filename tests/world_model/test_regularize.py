"""The guards against collapse on batches whose value is known in closed form, and their place in the loss.

On one-dimensional latents SIGReg's random directions are ±1, so it is the integral alone. With g(t) = exp(-t²/2)
and t ~ N(0, 1), which is its weight, that of a batch with the characteristic function φ is E|φ(t) - g(t)|².
"""

import math
from typing import Any

import pytest
import torch

from jedi_sdk.rng import Rng
from jedi_sdk.world_model.regularize import sigreg, vicreg

from .table import SHAPE, B, T, Table, build, plain, segment

GUARDS = {"vicreg": lambda z, rng: vicreg(z), "sigreg": sigreg}


def white(n: int, d: int) -> torch.Tensor:
    """Mean 0, variance 1 and no covariance, exactly."""
    x = torch.randn(n, d)
    return torch.linalg.qr(x - x.mean(0))[0] * math.sqrt(n - 1)


# -- VICReg ----------------------------------------------------------------------------------------------------


def test_white_latents_are_what_vicreg_wants() -> None:
    assert float(vicreg(white(50, 8))) == pytest.approx(0, abs=1e-6)
    assert float(vicreg(3 * white(50, 8) + 7)) == pytest.approx(0, abs=1e-6)  # more spread, elsewhere: as well


def test_vicreg_by_hand() -> None:
    """(0.3, 0.4) and its opposite: variances 0.18 and 0.32, covariance 0.24."""
    z = torch.tensor([[0.3, 0.4], [-0.3, -0.4]]) + 5
    variance = ((1 - math.sqrt(0.1801)) + (1 - math.sqrt(0.3201))) / 2
    covariance = 2 * 0.24**2 / 2  # once above and once below the diagonal, over two elements
    assert float(vicreg(z)) == pytest.approx(variance + covariance, rel=1e-5)


def test_vicregs_covariance_counts_both_halves_over_the_number_of_elements() -> None:
    """Pairs (x, x) of three white x: the only covariances are those of 1 within the pairs, of variance 1."""
    x = white(20, 3)
    assert float(vicreg(torch.cat([x, x], 1))) == pytest.approx(6 / 6, rel=1e-4)


def test_constant_latents_lack_all_of_vicregs_std_but_its_epsilon() -> None:
    assert float(vicreg(torch.ones(6, 5))) == pytest.approx(1 - math.sqrt(1e-4), rel=1e-6)


# -- SIGReg ----------------------------------------------------------------------------------------------------


def test_sigreg_of_constant_latents_is_the_integral_that_its_sum_stands_for() -> None:
    """All at 0: φ = 1, and E(1 - g)² = 1 - 2/√2 + 1/√3, the same in any dimension."""
    t = torch.linspace(-5, 5, 17, dtype=torch.float64)
    g = (-t.square() / 2).exp()
    by_hand = (torch.trapezoid((1 - g).square() * g, t) / math.sqrt(2 * math.pi)).item()
    for d in (1, 7):
        assert float(sigreg(torch.zeros(5, d), Rng(0))) == pytest.approx(by_hand, rel=1e-5)
    assert by_hand == pytest.approx(1 - 2 / math.sqrt(2) + 1 / math.sqrt(3), rel=1e-4)


@pytest.mark.parametrize("shift", [0.5, -2.0])
def test_sigreg_of_one_point_elsewhere(shift: float) -> None:
    """φ = exp(i·m·t): E|φ|² = 1, E(Re φ · g) = exp(-m²/4)/√2, and the imaginary part counts."""
    expected = 1 - 2 * math.exp(-(shift**2) / 4) / math.sqrt(2) + 1 / math.sqrt(3)
    assert float(sigreg(torch.full((4, 1), shift), Rng(0))) == pytest.approx(expected, abs=1e-4)


def test_sigreg_of_two_points() -> None:
    """±1 has mean 0 and variance 1 and is no Gaussian: φ = cos t, Eφ² = (1 + e⁻²)/2, E(φg) = e^(-1/4)/√2."""
    expected = (1 + math.exp(-2)) / 2 - 2 * math.exp(-1 / 4) / math.sqrt(2) + 1 / math.sqrt(3)
    assert float(sigreg(torch.tensor([[1.0], [-1.0]]), Rng(0))) == pytest.approx(expected, abs=1e-4)


def of_gaussian(std: float) -> float:
    """φ = exp(-s²t²/2)."""
    return 1 / math.sqrt(1 + 2 * std**2) - 2 / math.sqrt(2 + std**2) + 1 / math.sqrt(3)


@pytest.mark.parametrize("std", [0.5, 1.0, 1.5])
def test_sigreg_of_many_gaussian_latents(std: float) -> None:
    assert float(sigreg(std * white(5_000, 16), Rng(0))) == pytest.approx(of_gaussian(std), abs=1e-3)


def test_sigreg_sees_that_a_direction_is_missing() -> None:
    """Spread along one of two axes: a projection at the angle θ to it has the std |cos θ|."""
    z = torch.cat([torch.randn(4_000, 1), torch.zeros(4_000, 1)], 1)
    angles = (torch.arange(1_000) + 0.5) / 1_000 * math.pi
    expected = sum(of_gaussian(abs(math.cos(a))) for a in angles.tolist()) / 1_000
    assert expected > 0.02
    assert float(sigreg(z, Rng(0))) == pytest.approx(expected, rel=0.15)  # 256 random angles


def test_sigreg_wants_gaussian_latents_of_variance_1() -> None:
    gaussian = float(sigreg(torch.randn(2_000, 8), Rng(0)))
    assert gaussian < 0.002
    assert float(sigreg(3 * (2 * torch.rand(2_000, 8) - 1), Rng(0))) > 10 * gaussian


def test_sigreg_is_a_function_of_its_generator() -> None:
    z = torch.randn(10, 8)
    assert torch.equal(sigreg(z, Rng(1)), sigreg(z, Rng(1)))
    assert not torch.equal(sigreg(z, Rng(1)), sigreg(z, Rng(2)))


# -- both ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guard", GUARDS)
def test_descending_it_pushes_a_collapsed_batch_apart(guard: str) -> None:
    z = (0.05 * torch.randn(64, 6)).requires_grad_()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(GUARDS[guard](z, Rng(0)), z)
        z = (z - 20 * gradient).detach().requires_grad_()
    assert float(z.detach().std(0).min()) > 0.5
    assert float(GUARDS[guard](z.detach(), Rng(1))) < 0.05


def real_frames() -> torch.Tensor:
    """Padding, an episode's end and a whole one."""
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, :2], mask[1, 5:] = False, False
    return mask


@pytest.mark.parametrize("guard", GUARDS)
def test_the_objective_adds_it_weighed_and_logs_it(tiny, guard: str) -> None:
    """Of the real frames' latents in units of σ_data; the denoising loss beside it stays what it was."""

    def losses(rng: Rng, **values: Any) -> Any:
        world_model = build(plain(tiny, clamp=True, **values), table, constant=0.0)
        return world_model.denoise_loss(segment(mask=real_frames()), rng)

    table, rng = Table(), Rng(0)
    guarded, without = losses(Rng(0), regularizer=guard, regularizer_weight=0.3), losses(rng)
    term = guarded.terms[f"encoder/{guard}"]
    assert torch.equal(guarded.total, without.total + term)
    assert guarded.terms.keys() - without.terms.keys() == {f"encoder/{guard}"}
    z = 3 * torch.tanh(table.latents.detach().view(B, T, -1)[real_frames()] / 3) / 0.5
    expected = GUARDS[guard](z, rng)  # goes on where the denoising loss stopped drawing
    assert float(term) == pytest.approx(0.3 * float(expected), rel=1e-4)


@pytest.mark.parametrize("decoder", ["none", "alone"])
@pytest.mark.parametrize("guard", GUARDS)
def test_it_teaches_the_encoder_on_every_real_frame_whoever_else_does(tiny, wake, guard: str, decoder: str) -> None:
    config = plain(tiny, regularizer=guard, encoder_grad=False, decoder=decoder)
    world_model, seg = build(config, wake=wake), segment(mask=real_frames())
    world_model.denoise_loss(seg, Rng(0)).total.backward()
    assert torch.equal(world_model.encoder.learned(), real_frames())


@pytest.mark.parametrize("guard", GUARDS)
def test_frames_of_no_episode_do_not_matter_to_it(tiny, guard: str) -> None:
    world_model, told = build(plain(tiny, regularizer=guard), constant=0.0), []
    for garbage in (0.0, 100.0):
        with torch.no_grad():
            world_model.encoder.latents.view(B, T, *SHAPE)[~real_frames()] = garbage
        told.append(world_model.denoise_loss(segment(mask=real_frames()), Rng(0)).terms[f"encoder/{guard}"])
    assert torch.equal(told[0], told[1])
