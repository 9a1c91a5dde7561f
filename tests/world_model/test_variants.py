"""The objective's variants against values computed here by hand, in float64 and without the library's scales."""

import itertools
from typing import Any

import pytest
import torch

from jedi_sdk.config import Config
from jedi_sdk.presets import OBJECTIVES
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel

from .table import OF_LATENTS, SHAPE, B, T, Table, build, plain, segment, with_objective

SIGMA_DATA, K = 0.5, 4
LATENT_SCALES = ["none", "standard", "channels"]
SCALES = list(itertools.product(["latent", "change"], LATENT_SCALES, ["none", "tracked"], [False, True]))
scales = pytest.mark.parametrize(("predict", "latent_scale", "target_scale", "clamp"), SCALES)


def cut() -> Segment:
    """One row is padded, one ends behind its first predicted step."""
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[1, :2], mask[2, 5:] = False, False
    return segment(mask=mask)


# -- the denoising loss ------------------------------------------------------------------------------------------


class ByHand:
    """The running statistics after some batches as plain means over them, and what they make of the last batch."""

    def __init__(self, batches: list[torch.Tensor], mask: torch.Tensor, **variant: Any) -> None:
        self.variant, means, variances, squares = variant, [], [], []
        for features in batches:
            real = features[mask]
            means.append(real.mean(0))
            spread = (real - means[-1]).square()
            each = self.variant["latent_scale"] == "channels"
            variances.append(spread.mean((0, 2, 3), keepdim=True)[0] if each else spread.mean())
            self.mean, self.var = sum(means) / len(means), sum(variances) / len(variances)
            self.z = self.latents(features)
            y = self.unscaled(K)[mask[:, K]]
            squares.append(y.square().mean())
            self.rms = (sum(squares) / len(squares)) ** 0.5

    def latents(self, features: torch.Tensor) -> torch.Tensor:
        scaled = self.variant["latent_scale"] != "none"
        z = SIGMA_DATA * (features - self.mean) / self.var.sqrt() if scaled else features
        return 3 * torch.tanh(z / 3) if self.variant["clamp"] else z

    def unscaled(self, t: int) -> torch.Tensor:
        return self.z[:, t] - self.z[:, t - 1] if self.variant["predict"] == "change" else self.z[:, t]

    def target(self, t: int) -> torch.Tensor:
        y = self.unscaled(t)
        return SIGMA_DATA * y / self.rms if self.variant["target_scale"] == "tracked" else y


def after_two_batches(config: Config, constant: float) -> tuple[float, ByHand]:
    """The loss of the second batch, whose latents are others; and their arithmetic."""
    world_model, o, batches = build(config, Table(std=0.8), constant=constant), config.objective, []
    for scale, shift in ((1.0, 0.3), (2.0, -0.1)):
        with torch.no_grad():
            world_model.encoder.latents.mul_(scale).add_(shift)
        batches.append(world_model.encoder.latents.detach().double().view(B, T, *SHAPE))
        loss = float(world_model.denoise_loss(cut(), Rng(3)).total.detach())
    names = ("predict", "latent_scale", "target_scale", "clamp")
    return loss, ByHand(batches, cut().mask, **{name: getattr(o, name) for name in names})


@scales
def test_the_regression_loss_of_a_network_that_says_one_thing(tiny, predict, latent_scale, target_scale, clamp) -> None:
    """It predicts σ_data·0.7 in every element, and its error is counted in units of σ_data."""
    variant = {"predict": predict, "latent_scale": latent_scale, "target_scale": target_scale, "clamp": clamp}
    loss, hand = after_two_batches(with_objective(tiny, predictor="mse", switch="never", **variant), constant=0.7)
    errors = [(0.7 - hand.target(t) / SIGMA_DATA).square().mean((1, 2, 3)) for t in (K, K + 1)]
    assert loss == pytest.approx(float(errors[0].mean() + errors[1][:2].mean()), rel=1e-4)


@scales
def test_the_diffusion_loss_of_a_network_that_says_one_thing(tiny, predict, latent_scale, target_scale, clamp) -> None:
    """EDM, equation 8: |D - y|² weighted by (σ² + σ_data²)/(σ·σ_data)², where offset noise adds to σ."""
    variant = {"predict": predict, "latent_scale": latent_scale, "target_scale": target_scale, "clamp": clamp}
    config = with_objective(
        tiny, switch="never", p_mean=-0.4, p_std=1.2, sigma_clip=(0.5, 2.0), offset_noise=0.3, **variant
    )
    loss, hand = after_two_batches(config, constant=0.7)
    rng, errors = Rng(3), []
    for t in (K, K + 1):
        y = hand.target(t)
        sigma = (-0.4 + 1.2 * rng.normal(B)).exp().clamp(0.5, 2.0).double().view(B, 1, 1, 1)
        y_noisy = y + 0.3 * rng.normal(B, SHAPE[0], 1, 1) + sigma * rng.normal(B, *SHAPE)
        var = sigma**2 + 0.3**2
        d = SIGMA_DATA**2 / (var + SIGMA_DATA**2) * y_noisy + (var / (var + SIGMA_DATA**2)).sqrt() * SIGMA_DATA * 0.7
        weight = (var + SIGMA_DATA**2) / (var * SIGMA_DATA**2)
        errors.append((weight * (d - y).square()).mean((1, 2, 3)))
    assert loss == pytest.approx(float(errors[0].mean() + errors[1][:2].mean()), rel=1e-4)


# -- what is diffused, and back ----------------------------------------------------------------------------------


def scaled(config: Config) -> WorldModel:
    world_model = WorldModel(config, 3)
    world_model.target_scale.mean_square.fill_(0.04)
    return world_model


@scales
def test_what_is_diffused_leads_back_to_the_latent(tiny, predict, latent_scale, target_scale, clamp) -> None:
    """Up to the clamp: a soft one on a latent; on a change only its bounds, for the last latent knew the soft one."""
    variant = {"predict": predict, "latent_scale": latent_scale, "target_scale": target_scale, "clamp": clamp}
    world_model = scaled(with_objective(tiny, **variant))
    z_last, z_next = 2 * torch.randn(5, *SHAPE), 2 * torch.randn(5, *SHAPE)
    assert float(z_next.abs().max()) > 3
    y = world_model.target(z_last, z_next)
    expected = z_next - z_last if predict == "change" else z_next
    torch.testing.assert_close(y, expected * 0.5 / 0.2 if target_scale == "tracked" else expected, rtol=1e-4, atol=1e-5)
    clamped = 3 * torch.tanh(z_next / 3) if predict == "latent" else z_next.clamp(-3, 3)
    torch.testing.assert_close(
        world_model.target.inverse(z_last, y), clamped if clamp else z_next, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("target_scale", ["none", "tracked"])
def test_what_does_not_change_stays_what_it_is_however_long_the_dream(tiny, target_scale) -> None:
    config = with_objective(tiny, predict="change", clamp=True, predictor="mse", target_scale=target_scale)
    world_model = build(config, constant=0.0)
    z = 3 * torch.tanh(torch.randn(B, K, *SHAPE))
    dreamed = world_model.dream_along(z, torch.zeros(B, K + 50, dtype=torch.int64), Rng(0))
    assert torch.equal(dreamed, z[:, -1:].expand_as(dreamed))


# -- the running statistics --------------------------------------------------------------------------------------


def noise(seed: int = 0) -> Segment:
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randint(256, (B, T, 64, 64, 3), generator=generator, dtype=torch.uint8)
    return segment(obs=obs, mask=cut().mask)


def statistics(world_model: WorldModel) -> dict[str, torch.Tensor]:
    scales = ("frame_mean", "latent_scale", "target_scale")
    return {name: value.clone() for name, value in world_model.named_buffers() if name.startswith(scales)}


@pytest.mark.parametrize("objective", OF_LATENTS)
def test_the_statistics_move_in_the_denoising_loss_and_nowhere_else(tiny, objective) -> None:
    config = with_objective(tiny, OBJECTIVES[objective], heads_latents="dreamed", relative_to_mean=True)
    world_model, seg = WorldModel(config, 3), noise()
    before = statistics(world_model)
    z = world_model.encode(seg.obs)
    state = world_model.start(seg[:, :K])
    world_model.step(state, seg.act[:, K], Rng(0))
    world_model.dream_along(z[:, :K], seg.act, Rng(0))
    world_model.heads_loss(seg, Rng(0)).total.backward()
    world_model.update_target()
    assert all(torch.equal(value, before[name]) for name, value in statistics(world_model).items())
    world_model.denoise_loss(seg, Rng(0))
    assert not any(torch.equal(value, before[name]) for name, value in statistics(world_model).items())


@pytest.mark.parametrize("objective", OF_LATENTS)
def test_put_away_and_taken_out_the_statistics_go_on_where_they_stood(tiny, objective) -> None:
    """Also how many batches they have seen, and so how fast they move."""
    config = with_objective(tiny, OBJECTIVES[objective], switch="alternate", relative_to_mean=True)
    one, other = WorldModel(config, 3), WorldModel(config, 3)
    for seed in range(3):
        one.denoise_loss(noise(seed), Rng(seed))
    other.load_state_dict(one.state_dict())
    assert len(statistics(one)) == 7
    assert all(torch.equal(value, statistics(one)[name]) for name, value in statistics(other).items())
    told = [[float(model.denoise_loss(noise(s), Rng(s)).total.detach()) for s in (7, 8)] for model in (one, other)]
    assert told[0] == told[1]
    assert all(torch.equal(value, statistics(one)[name]) for name, value in statistics(other).items())


# -- frames without what never changes ---------------------------------------------------------------------------


class Pixels(torch.nn.Module):
    """An encoder that keeps every eighth pixel."""

    latent_shape = (3, 8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, ::8, ::8]


def test_centred_frames_are_frames_minus_the_mean_of_the_real_ones_seen_in_training(tiny) -> None:
    world_model = WorldModel(plain(tiny, relative_to_mean=True), 3, encoder=Pixels())
    obs = torch.randint(256, (B, T, 64, 64, 3), dtype=torch.uint8)
    frames = (obs[:, :, ::8, ::8].double() / 127.5 - 1).permute(0, 1, 4, 2, 3)
    torch.testing.assert_close(world_model.encode(obs), frames.float())  # nothing seen yet
    mask = cut().mask
    for _ in range(2):
        world_model.denoise_loss(segment(obs=obs, mask=mask), Rng(0))
    torch.testing.assert_close(world_model.encode(obs), (frames - frames[mask].mean(0)).float(), rtol=0, atol=1e-5)
