"""The sampler against diffusers' scheduler and an equation with a known solution.

For data ~ N(0, σ_data²) the best denoiser is D(y; σ) = y·σ_data²/(σ² + σ_data²), and the noise levels carry a
point along x(σ) = x₀·√((σ² + σ_data²)/(σ₀² + σ_data²)).
"""

import itertools
import math

import pytest
import torch
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler

from jedi_sdk.config import SamplerConfig
from jedi_sdk.world_model import karras_sigmas, sample
from jedi_sdk.world_model.denoiser import precondition

SD = 0.5


def no_noise() -> torch.Tensor:
    raise AssertionError("noise was asked for")


def gaussian(y: torch.Tensor, sigma: float) -> torch.Tensor:
    return y * SD**2 / (sigma**2 + SD**2)


def test_the_papers_noise_levels() -> None:
    assert karras_sigmas(3, 2e-3, 5.0, 7.0) == pytest.approx([5.0, 0.283, 2e-3, 0.0], rel=1e-3)
    assert karras_sigmas(1, 2e-3, 5.0, 7.0) == pytest.approx([5.0, 0.0])
    assert karras_sigmas(5, 1.0, 9.0, 1.0) == pytest.approx([9.0, 7.0, 5.0, 3.0, 1.0, 0.0])  # ρ = 1 is even


def theirs(network, config: SamplerConfig, y: torch.Tensor, seed: int) -> torch.Tensor:
    scheduler = EDMEulerScheduler(config.sigma_min, config.sigma_max, sigma_data=SD, rho=config.rho)
    scheduler.set_timesteps(config.steps)
    generator = torch.Generator().manual_seed(seed)
    churn = {name: getattr(config, name) for name in ("s_churn", "s_tmin", "s_tmax", "s_noise")}
    y = y * scheduler.sigmas[0]
    for t in scheduler.timesteps:
        f = network(scheduler.scale_model_input(y, t), t)
        y = scheduler.step(f, t, y, **churn, generator=generator, return_dict=False)[0]
    return y


def ours(network, config: SamplerConfig, y: torch.Tensor, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)

    def denoise(y: torch.Tensor, sigma: float) -> torch.Tensor:
        p = precondition(torch.full((len(y),), sigma), SD)
        return p.c_skip * y + p.c_out * network(p.c_in * y, p.c_noise[0])

    return sample(denoise, y, config, lambda: torch.randn(y.shape, generator=generator))


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_euler_is_diffusers_with_a_nonlinear_network(steps: int) -> None:
    weight = torch.randn(4, 4, 3, 3)

    def network(x: torch.Tensor, c_noise: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.conv2d(x, weight, padding=1) + c_noise)

    config, y = SamplerConfig(steps=steps, start="sigma_max"), torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(ours(network, config, y, 0), theirs(network, config, y, 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("churn", [{}, {"s_tmin": 0.1, "s_tmax": 1.0, "s_noise": 1.01}, {"s_churn": 1e3}])
def test_stochastic_euler_is_diffusers_given_the_same_noise(churn: dict) -> None:
    """Diffusers asks the network before it adds noise, algorithm 2 behind: a constant network cannot tell."""
    constant = torch.randn(2, 4, 8, 8)
    config = SamplerConfig(**{"steps": 10, "start": "sigma_max", "s_churn": 3.0, **churn})
    y = torch.randn(2, 4, 8, 8)
    result = ours(lambda x, c_noise: constant, config, y, seed=1)
    torch.testing.assert_close(result, theirs(lambda x, c_noise: constant, config, y, seed=1), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(result, ours(lambda x, c_noise: constant, config, y, seed=2), atol=1e-3)


@pytest.mark.parametrize("extra", [{}, {"method": "heun"}, {"s_churn": 3.0}])
def test_a_unit_start_is_the_largest_noise_level_with_its_noise_over_it(extra: dict) -> None:
    at_sigma_max, unit = (SamplerConfig(steps=4, start=start, **extra) for start in ("sigma_max", "unit"))
    y, weight = torch.randn(2, 4, 8, 8), torch.randn(4, 4, 3, 3)

    def denoise(y: torch.Tensor, sigma: float) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.conv2d(y, weight, padding=1) / sigma)

    def run(config: SamplerConfig, y: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return sample(denoise, y, config, lambda: torch.randn(y.shape, generator=generator))

    torch.testing.assert_close(run(at_sigma_max, y / 5.0), run(unit, y), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(run(at_sigma_max, y), run(unit, y), atol=0.1)


@pytest.mark.parametrize(("start", "size"), [("sigma_max", 5.0), ("unit", 1.0)])
@pytest.mark.parametrize("method", ["euler", "heun"])
def test_a_linear_denoiser_multiplies_the_noise_it_starts_from(method: str, start: str, size: float) -> None:
    """D(y; σ) = a·y: a step to σ' multiplies by 1 + (1-a)(σ'-σ)/σ, Heun's by the mean of its slopes; the last by a."""
    config = SamplerConfig(steps=3, method=method, start=start)  # type: ignore[arg-type]
    x0, a, factor = torch.randn(2, 4, 8, 8, dtype=torch.float64), 0.6, size
    middle = ((5.0 ** (1 / 7) + 2e-3 ** (1 / 7)) / 2) ** 7
    for sigma, after in ((5.0, middle), (middle, 2e-3)):
        slope = (1 - a) / sigma
        there = 1 + (after - sigma) * slope
        if method == "heun":
            slope = (slope + there * (1 - a) / after) / 2
        factor *= 1 + (after - sigma) * slope
    result = sample(lambda y, sigma: a * y, x0, config, no_noise)
    torch.testing.assert_close(result, factor * a * x0, rtol=1e-6, atol=0)


@pytest.mark.parametrize("start", ["sigma_max", "unit"])
def test_the_perfect_denoiser_carries_either_start_along_the_known_solution(start: str) -> None:
    """From unit noise at the level σ_0 a sample ends at a fifth of its distance: too near the mean of the data."""
    config = SamplerConfig(steps=150, method="heun", sigma_min=1e-5, start=start)  # type: ignore[arg-type]
    x0 = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    exact = (x0 * 5.0 if start == "sigma_max" else x0) * SD / math.sqrt(5.0**2 + SD**2)
    torch.testing.assert_close(sample(gaussian, x0, config, no_noise), exact, rtol=1e-3, atol=0)


def error(method: str, steps: int) -> float:
    config = SamplerConfig(steps=steps, method=method, sigma_min=1e-5, start="sigma_max")  # type: ignore[arg-type]
    x0 = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    exact = 5.0 * SD / math.sqrt(5.0**2 + SD**2)
    return abs(float(sample(gaussian, x0, config, no_noise)) - exact)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_the_order_of_convergence_to_the_known_solution(method: str, order: int) -> None:
    errors = [error(method, steps) for steps in (65, 129, 257)]
    assert errors[-1] < 0.01 * 0.5
    assert [math.log2(a / b) for a, b in itertools.pairwise(errors)] == pytest.approx([order] * 2, abs=0.1)


@pytest.mark.parametrize(("method", "steps"), [("euler", 1_500), ("heun", 150)])
def test_a_perfect_churning_sampler_draws_from_the_data(method: str, steps: int) -> None:
    config = SamplerConfig(steps=steps, method=method, start="sigma_max", s_churn=30.0)  # type: ignore[arg-type]
    y = sample(gaussian, torch.randn(40_000, 1, 1, 1), config, lambda: torch.randn(40_000, 1, 1, 1))
    assert float(y.mean()) == pytest.approx(0, abs=4 * SD / 200)
    assert float(y.std()) == pytest.approx(SD, rel=0.02)


def test_heun_asks_twice_a_step_except_for_the_last_and_where_noise_was_put_in_at_the_raised_level() -> None:
    asked: list[float] = []

    def denoise(y: torch.Tensor, sigma: float) -> torch.Tensor:
        asked.append(sigma)
        return gaussian(y, sigma)

    y = torch.randn(1, 1, 1, 1)
    high, middle, low, _ = karras_sigmas(3, 2e-3, 5.0, 7.0)
    sample(denoise, y, SamplerConfig(steps=3, method="heun"), no_noise)
    assert asked == pytest.approx([high, middle, middle, low, low])
    asked.clear()
    sample(denoise, y, SamplerConfig(steps=3, s_churn=0.3, s_tmin=0.1, s_tmax=1.0), lambda: torch.randn(1, 1, 1, 1))
    assert asked == pytest.approx([high, middle * 1.1, low])


def test_no_noise_is_drawn_where_none_is_put_in() -> None:
    y = torch.randn(1, 1, 1, 1)
    sample(gaussian, y, SamplerConfig(), no_noise)
    sample(gaussian, y, SamplerConfig(s_churn=1.0, s_tmin=10.0), no_noise)
    with pytest.raises(AssertionError, match="asked for"):
        sample(gaussian, y, SamplerConfig(s_churn=1.0), no_noise)
