"""The world model's losses and steps: where gradients go, what the switch does, and values that can be computed."""

import itertools
import math
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import nn

from jedi_sdk.config import ObjectiveConfig, SamplerConfig
from jedi_sdk.presets import OBJECTIVES
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import Heads, WorldModel, clamp, karras_sigmas

from .table import OF_LATENTS, SHAPE, B, T, Table, build, plain, segment, with_objective


def learned(world_model: WorldModel, seg: Segment) -> list[bool]:
    """Which of the frames 0…5 the denoising loss teaches."""
    world_model.denoise_loss(seg, Rng(0)).total.backward()
    frames = world_model.encoder.learned()
    assert torch.equal(frames, frames[:1].expand_as(frames))
    return frames[0].tolist()


def moves(parameter: nn.Parameter) -> bool:
    """Whether it has a gradient, and a finite one."""
    gradient = parameter.grad
    return gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any())


def trained(world_model: WorldModel) -> set[str]:
    """Which networks have gradients: each in all of its parameters or in none."""
    found = {name: [moves(p) for p in module.parameters()] for name, module in world_model.named_children()}
    assert all(all(some) or not any(some) for some in found.values())
    return {name for name, some in found.items() if any(some)}


# -- gradients ------------------------------------------------------------------------------------------------

CONTEXT_ONLY, FIRST_PREDICTED_TOO = [True] * 4 + [False] * 2, [True] * 5 + [False]


@pytest.mark.parametrize("predictor", ["diffusion", "mse"])
@pytest.mark.parametrize("objective", OF_LATENTS)
def test_the_encoder_learns_through_the_context_and_never_through_the_target(tiny, wake, objective, predictor) -> None:
    config = with_objective(tiny, OBJECTIVES[objective], predictor=predictor)
    fed_back = build(with_objective(config, switch="always"), wake=wake)
    assert learned(fed_back, segment()) == CONTEXT_ONLY
    encoded = build(with_objective(config, switch="never"), wake=wake)
    assert learned(encoded, segment()) == FIRST_PREDICTED_TOO  # as the second step's context


def test_nor_through_the_noisy_input_of_a_denoiser_that_sees_no_context(tiny, wake) -> None:
    world_model = build(with_objective(tiny, switch="never"), wake=wake)
    with torch.no_grad():
        c = world_model.denoiser.unet.conv_in.weight
        c[:, SHAPE[0] :] = 0
    assert learned(world_model, segment()) == [False] * 6


@pytest.mark.parametrize("target_net", ["stop_grad", "ema"])
def test_without_encoder_grad_the_denoising_loss_teaches_the_denoiser_alone(tiny, wake, target_net) -> None:
    world_model = build(with_objective(tiny, encoder_grad=False, target_net=target_net), wake=wake)
    world_model.denoise_loss(segment(), Rng(0)).total.backward()
    assert world_model.encoder.latents.grad is None
    assert all(p.grad is not None and p.grad.any() for p in world_model.denoiser.unet.parameters())
    world_model.heads_loss(segment(), Rng(0)).total.backward()
    assert world_model.encoder.learned().all()


@pytest.mark.parametrize("heads_latents", ["encoded", "dreamed"])
def test_without_heads_grad_the_heads_loss_teaches_the_heads_alone(tiny, wake, heads_latents) -> None:
    world_model = build(with_objective(tiny, heads_grad=False, heads_latents=heads_latents), wake=wake)
    world_model.heads_loss(segment(), Rng(0)).total.backward()
    assert trained(world_model) == {"heads"}
    world_model.denoise_loss(segment(), Rng(0)).total.backward()
    assert world_model.encoder.learned().any()


def test_no_gradient_flows_through_a_prediction_fed_back(tiny, wake) -> None:
    world_model = build(with_objective(tiny, encoder_grad=False, switch="always"), wake=wake)
    world_model.denoise_loss(segment(), Rng(0))
    assert [z.requires_grad for z, _ in world_model.denoiser.seen] == [False, False]


@pytest.mark.parametrize(
    ("settings", "denoiser", "heads"),
    [
        ({}, True, True),
        ({"encoder_grad": False}, False, True),
        ({"heads_grad": False}, True, False),
        ({"encoder_grad": False, "heads_grad": False}, False, False),
        ({"encoder_grad": False, "regularizer": "vicreg"}, True, True),
        ({"decoder": "alone"}, True, False),
    ],
)
def test_an_encoder_keeps_what_a_gradient_needs_only_where_it_is_taught(tiny, settings, denoiser, heads) -> None:
    world_model = WorldModel(with_objective(tiny, **settings), 3)
    kept: list[bool] = []
    world_model.encoder.register_forward_hook(lambda _, frames, features: kept.append(features.requires_grad))
    frames = torch.randint(256, (2, 6, 64, 64, 3), dtype=torch.uint8)
    for loss, taught in ((world_model.denoise_loss, denoiser), (world_model.heads_loss, heads)):
        kept.clear()
        loss(segment(2, 6, obs=frames), Rng(0))
        assert kept == [taught] * len(kept) != []


VALUES = {
    "target_net": ["stop_grad", "ema"],
    "predict": ["latent", "change"],
    "latent_scale": ["none", "standard", "channels"],
    "switch": ["random", "always", "never", "alternate"],
    "clamp": [True, False],
    "predictor": ["diffusion", "mse"],
    "encoder_grad": [True, False],
    "heads_grad": [True, False],
    "relative_to_mean": [True, False],
    "target_scale": ["none", "tracked"],
    "regularizer": ["none", "vicreg", "sigreg"],
    "decoder": ["none", "joint", "alone"],
    "heads_latents": ["encoded", "dreamed"],
    "predicted_steps": [1, 2, 3],
}


@pytest.mark.parametrize("objective", OF_LATENTS)
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, some in VALUES.items() for value in some])
def test_every_variant_trains_its_real_networks(tiny, wake, objective, name, value) -> None:
    config = with_objective(tiny, OBJECTIVES[objective], **{name: value})
    world_model = WorldModel(config, 3)
    wake(world_model.denoiser)
    wake(world_model.heads)
    b, t = 2, 4 + config.objective.predicted_steps
    frames = torch.randint(256, (b, t, 64, 64, 3), dtype=torch.uint8)
    losses = world_model.denoise_loss(segment(b, t, obs=frames), Rng(0))
    losses.total.backward()
    assert all(term.isfinite() and not term.requires_grad for term in losses.terms.values())
    o = config.objective
    assert trained(world_model) == {"denoiser", *["encoder"] * o.encoder_grad, *["decoder"] * (o.decoder != "none")}
    world_model.zero_grad()
    losses = world_model.heads_loss(segment(b, t, obs=frames), Rng(0))
    losses.total.backward()
    assert all(term.isfinite() and not term.requires_grad for term in losses.terms.values())
    assert trained(world_model) == {"heads", *["encoder"] * (o.heads_grad and o.decoder != "alone")}
    z = world_model.imagine_next(torch.randn(2, 4, *SHAPE), torch.zeros(2, 4, dtype=torch.int64), Rng(0))
    assert z.isfinite().all()


def test_every_choice_of_the_objective_is_among_the_variants() -> None:
    choices = {f.name for f in fields(ObjectiveConfig) if f.type == "bool" or str(f.type).startswith("Literal")}
    assert choices <= set(VALUES)


# -- the target ------------------------------------------------------------------------------------------------


def test_the_ema_target_is_a_copy_that_follows_slowly_and_never_by_gradient(tiny, wake) -> None:
    world_model = build(with_objective(tiny, target_net="ema", ema_decay=0.9), wake=wake)
    target = world_model.target_encoder
    start = world_model.encoder.latents.detach().clone()
    assert torch.equal(target.latents, start)
    world_model.denoise_loss(segment(), Rng(0)).total.backward()
    assert target.latents.grad is None
    assert not target.latents.requires_grad
    with torch.no_grad():
        world_model.encoder.latents += 1
    world_model.update_target()
    torch.testing.assert_close(target.latents, 0.9 * start + 0.1 * (start + 1))


@pytest.mark.parametrize("target_net", ["stop_grad", "ema"])
def test_whose_latents_the_target_is(tiny, target_net) -> None:
    """With a network that says 0, mse is the mean square of the target over σ_data²."""
    world_model = build(plain(tiny, target_net=target_net, predictor="mse"), constant=0.0)
    source = world_model.encoder if target_net == "stop_grad" else world_model.target_encoder
    with torch.no_grad():
        source.latents.copy_(torch.randn_like(source.latents))
    z = source.latents.detach().view(B, T, -1)
    expected = sum(z[:, t].square().mean() / 0.25 for t in (4, 5))
    assert float(world_model.denoise_loss(segment(), Rng(0)).total) == pytest.approx(float(expected), rel=1e-5)


def test_the_change_is_measured_in_its_own_running_scale(tiny) -> None:
    """On the first batch the first change has exactly the root mean square σ_data, so a network of 0 loses 1."""
    config = plain(tiny, predict="change", target_scale="tracked", predictor="mse", switch="never")
    world_model = build(config, Table(std=0.01), constant=0.0)
    z = world_model.encoder.latents.detach().view(B, T, -1)
    terms = world_model.denoise_loss(segment(), Rng(0)).terms
    ratio = (z[:, 5] - z[:, 4]).square().mean() / (z[:, 4] - z[:, 3]).square().mean()
    assert float(terms["denoise/step1"]) == pytest.approx(1, rel=1e-3)
    assert float(terms["denoise/step2"]) == pytest.approx(float(ratio), rel=1e-3)
    assert float(terms["latent/change"]) == pytest.approx(float((z[:, 4] - z[:, 3]).square().mean()), rel=1e-4)
    assert float(terms["latent/std"]) == pytest.approx(0.01, rel=0.1)


def test_behind_a_prediction_fed_back_the_change_asked_for_leads_from_it_to_the_real_latent(tiny) -> None:
    """A network of 0 predicts no change, so the second change is asked for from z[3] and not from z[4]."""
    config = plain(tiny, predict="change", target_scale="tracked", predictor="mse", switch="always")
    world_model = build(config, Table(std=0.01), constant=0.0)
    z = world_model.encoder.latents.detach().view(B, T, -1)
    terms = world_model.denoise_loss(segment(), Rng(0)).terms
    ratio = (z[:, 5] - z[:, 3]).square().mean() / (z[:, 4] - z[:, 3]).square().mean()
    assert float(terms["denoise/step2"]) == pytest.approx(float(ratio), rel=1e-3)


@pytest.mark.parametrize("switch", ["never", "always"])
def test_a_slow_copy_of_the_encoder_measures_a_change_from_its_own_latent(tiny, switch) -> None:
    """However far apart the two are: a network of 0 loses what the copy's latents change by, and nothing more."""
    config = plain(tiny, target_net="ema", predict="change", predictor="mse", switch=switch)
    world_model = build(config, Table(std=0.01), constant=0.0)
    copied = world_model.target_encoder.latents
    with torch.no_grad():
        copied.copy_(torch.randn_like(copied))
    z = copied.view(B, T, -1)
    terms = world_model.denoise_loss(segment(), Rng(0)).terms
    before = z[:, 4] if switch == "never" else z[:, 3]
    for step, change in ((1, z[:, 4] - z[:, 3]), (2, z[:, 5] - before)):
        expected = float(change.square().mean() / 0.25)
        assert float(terms[f"denoise/step{step}"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("offset_noise", [0.0, 0.3])
@pytest.mark.parametrize("sigma", [2e-3, 0.5, 20.0])
def test_on_latents_of_the_right_scale_a_fresh_denoiser_loses_1_a_step_at_every_noise_level(
    tiny, sigma, offset_noise
) -> None:
    """EDM's target has unit variance: measured through the loss itself, on Gaussian latents of std σ_data."""
    b = 500
    config = plain(tiny, sigma_clip=(sigma, sigma), offset_noise=offset_noise)
    world_model = build(config, Table(b * T), constant=0.0)
    losses = world_model.denoise_loss(segment(b), Rng(0))
    assert float(losses.total) == pytest.approx(2, rel=0.05)
    name = {2e-3: "<0.25", 0.5: "<0.5", 20.0: ">1.0"}[sigma]
    assert float(losses.terms[f"denoise/sigma{name}"]) == pytest.approx(1, rel=0.05)
    logged = [term for key, term in losses.terms.items() if key.startswith("denoise/sigma")]
    assert sum(bool(term) for term in logged) == 1


def test_steps_behind_the_end_of_an_episode_count_neither_in_the_loss_nor_in_its_mean(tiny) -> None:
    config = plain(tiny, predictor="mse", switch="never")
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, 4:], mask[1, 5:] = False, False
    world_model = build(config, constant=0.0)
    z = world_model.encoder.latents.detach().view(B, T, -1)
    total = world_model.denoise_loss(segment(mask=mask), Rng(0)).total
    expected = z[1:, 4].square().mean() / 0.25 + z[2:, 5].square().mean() / 0.25
    assert float(total) == pytest.approx(float(expected), rel=1e-5)


# -- the switch ------------------------------------------------------------------------------------------------


def fed_back(world_model: Any, rng: Rng) -> bool:
    """Whether the second step's context ends with the denoiser's prediction (else it is z[4])."""
    world_model.denoiser.seen.clear()
    world_model.denoise_loss(segment(), rng)
    (first, _), (second, _) = world_model.denoiser.seen
    assert torch.equal(second[:, :3], first[:, 1:])
    z4 = world_model.encoder.latents.view(B, T, *SHAPE)[:, 4]
    predicted = torch.full_like(z4, 0.5 * 0.7)  # σ_data times what the network says
    assert torch.equal(second[:, 3], z4) != torch.allclose(second[:, 3], predicted)
    return torch.allclose(second[:, 3], predicted)


@pytest.mark.parametrize(
    ("switch", "expected"), [("always", [True] * 4), ("never", [False] * 4), ("alternate", [False, True] * 2)]
)
def test_the_switch_says_what_the_second_step_starts_from(tiny, switch, expected) -> None:
    world_model = build(plain(tiny, predictor="mse", switch=switch), constant=0.7)
    assert [fed_back(world_model, Rng(0)) for _ in range(4)] == expected


def test_at_random_it_is_every_second_batch_and_the_rng_decides(tiny) -> None:
    world_model, rng = build(plain(tiny, predictor="mse", switch="random"), constant=0.7), Rng(0)
    flips = [fed_back(world_model, rng) for _ in range(200)]
    assert 80 < sum(flips) < 120  # 100 ± 2.8 standard deviations
    assert 70 < sum(a != b for a, b in itertools.pairwise(flips)) < 130
    again = Rng(0)
    assert [fed_back(world_model, again) for _ in range(20)] == flips[:20]


def test_what_is_fed_back_is_the_one_shot_estimate_of_the_denoiser(tiny) -> None:
    """At the largest noise D(y; σ) is nearly c_out·F = σ_data·F, at the smallest the target itself."""
    for sigma, clamped in ((2e-3, False), (2e3, False), (2e3, True)):
        config = plain(tiny, switch="always", sigma_clip=(sigma, sigma), offset_noise=0.0, clamp=clamped)
        world_model = build(config, constant=5.0)
        world_model.denoise_loss(segment(), Rng(0))
        z_hat = world_model.denoiser.seen[1][0][:, 3]
        z4 = world_model.encoder.latents.view(B, T, *SHAPE)[:, 4]
        expected = z4 if sigma < 1 else torch.full_like(z4, 2.5)
        torch.testing.assert_close(z_hat, clamp(expected, 3.0) if clamped else expected, rtol=0, atol=0.03)


def test_each_step_sees_the_last_four_latents_and_the_four_actions_that_followed_them(tiny) -> None:
    world_model, seg = build(plain(tiny, switch="never")), segment()
    world_model.denoise_loss(seg, Rng(0))
    z = world_model.encoder.latents.view(B, T, *SHAPE)
    for t, (seen, act) in enumerate(world_model.denoiser.seen):
        assert torch.equal(seen, z[:, t : t + 4])
        assert torch.equal(act, seg.act[:, t : t + 4])


# -- encoding --------------------------------------------------------------------------------------------------


class Pixels(nn.Module):
    """An encoder that keeps every eighth pixel."""

    latent_shape = (3, 8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, ::8, ::8]


def test_frames_reach_the_encoder_in_their_colours_and_place_from_minus_1_to_1(tiny) -> None:
    obs = torch.randint(256, (2, 5, 64, 64, 3), dtype=torch.uint8)
    z = WorldModel(plain(tiny), 3, encoder=Pixels()).encode(obs)
    assert z.shape == (2, 5, 3, 8, 8)
    assert float(z[1, 4, 2, 3, 7]) == pytest.approx(int(obs[1, 4, 24, 56, 2]) / 127.5 - 1, abs=1e-6)
    torch.testing.assert_close(z, obs[:, :, ::8, ::8].permute(0, 1, 4, 2, 3) / 127.5 - 1)


def test_latents_are_standardised_by_the_frames_seen_in_training_and_clamped(tiny) -> None:
    world_model = build(with_objective(tiny, latent_scale="standard"), Table(std=9.0))
    for _ in range(3):
        world_model.denoise_loss(segment(), Rng(0))
    before = world_model.latent_scale.mean.clone()
    z = world_model.encode(segment().obs)
    assert torch.equal(world_model.latent_scale.mean, before)  # encoding alone teaches nothing
    features = world_model.encoder.latents.detach()
    centred = features - features.mean(0)
    expected = clamp(0.5 * centred / centred.square().mean().sqrt(), 3.0)
    torch.testing.assert_close(z.flatten(0, 1), expected, rtol=1e-3, atol=1e-3)


def test_the_clamp_bounds_encoder_and_denoiser(tiny) -> None:
    for clamped in (True, False):
        world_model = build(plain(tiny, clamp=clamped, predictor="mse"), Table(std=50.0), constant=100.0)
        z = world_model.encode(segment().obs).detach()
        z_next = world_model.imagine_next(z[:, :4], segment().act[:, :4], Rng(0))
        assert (float(z.abs().max()) <= 3) == clamped
        assert float(z_next.mean()) == pytest.approx(3 if clamped else 50, rel=1e-3)


# -- heads -----------------------------------------------------------------------------------------------------


def test_fresh_heads_bet_on_nothing(tiny) -> None:
    terms = build(tiny).heads_loss(segment(), Rng(0)).terms
    assert float(terms["heads/reward"]) == pytest.approx(math.log(3), rel=1e-5)
    assert float(terms["heads/termination"]) == pytest.approx(math.log(2), rel=1e-5)


class ByAction(nn.Module):
    """Heads that believe: action 0, 1, 2 earns -1, 0, 1, and action 2 ends the episode."""

    def forward(self, z, act, state=None, mask=None):
        rew = 50 * nn.functional.one_hot(act, 3).float()
        end = 50 * nn.functional.one_hot((act == 2).long(), 2).float()
        return rew, end, state or (torch.zeros(len(act), 1), torch.zeros(len(act), 1))


def test_loss_and_dream_agree_on_what_the_heads_say(tiny) -> None:
    world_model = build(tiny)
    world_model.heads = ByAction()
    seg = segment()
    true = replace(seg, rew=seg.act - 1.0, end=seg.act == 2)
    assert float(world_model.heads_loss(true, Rng(0)).total) == pytest.approx(0, abs=1e-6)
    for wrong in (replace(true, rew=-true.rew), replace(true, end=~true.end), replace(true, act=true.act.roll(1, 1))):
        assert float(world_model.heads_loss(wrong, Rng(0)).total) > 1
    state = world_model.start(seg[:, :4])
    _, rew, end = world_model.step(state, torch.tensor([0, 1, 2]), Rng(0))
    assert rew.tolist() == [-1.0, 0.0, 1.0]
    assert end.tolist() == [False, False, True]


def test_only_transitions_between_two_real_frames_teach_the_heads(tiny, wake) -> None:
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, :2], mask[1, 4:], mask[2, :3] = False, False, False
    world_model = build(plain(tiny), wake=wake)
    losses = world_model.heads_loss(segment(mask=mask), Rng(0))
    losses.total.backward()
    assert torch.equal(world_model.encoder.learned(), mask)
    real = [(b, t) for b in range(B) for t in range(T - 1) if mask[b, t] and mask[b, t + 1]]
    other = segment(mask=mask)
    rew, end = torch.ones(B, T), torch.ones(B, T, dtype=torch.bool)
    for b, t in real:
        rew[b, t], end[b, t] = 0, False
    assert torch.equal(world_model.heads_loss(replace(other, rew=rew, end=end), Rng(0)).total, losses.total)


def unroll(heads: Heads, z: torch.Tensor, act: torch.Tensor) -> Any:
    """The heads' memory after one transition at a time, from nothing."""
    state = None
    for t in range(act.shape[1]):
        _, _, state = heads(z[:, t : t + 2], act[:, t : t + 1], state)
    return state


def assert_same_memory(one, other) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_burnt_in_heads_remember_what_a_full_unroll_would(tiny, wake) -> None:
    """Padding is as if it were not there: row 1 begins its episode at frame 2, row 2 at frame 3."""
    world_model = build(plain(tiny), wake=wake)
    mask = torch.ones(B, 4, dtype=torch.bool)
    mask[1, :2], mask[2, :3] = False, False
    seg = segment(t=4, mask=mask)
    state = world_model.start(seg)
    z = world_model.encode(seg.obs)
    assert torch.equal(state.z, z)
    assert torch.equal(state.act, seg.act[:, :3])
    for row, first in enumerate((0, 2)):
        here = slice(row, row + 1)
        assert_same_memory(
            [x[here] for x in state.lstm], unroll(world_model.heads, z[here, first:], seg.act[here, first:3])
        )
    assert not any(x[2].any() for x in state.lstm)


def test_the_heads_loss_burns_in_like_a_dream(tiny, wake) -> None:
    """The loss of the transitions behind the context is that of heads that start from the dream's memory."""
    world_model = build(plain(tiny), wake=wake)
    mask = torch.ones(1, 6, dtype=torch.bool)
    mask[0, :2] = False
    seg = segment(1, mask=mask, rew=torch.tensor([[0.0, 0, 1, -1, 1, 0]]))
    z, state = world_model.encode(seg.obs), world_model.start(seg[:, :4])
    before, _, _ = world_model.heads(z[:, 2:4], seg.act[:, 2:3])
    behind, _, _ = world_model.heads(z[:, 3:], seg.act[:, 3:5], state.lstm)
    expected = nn.functional.cross_entropy(torch.cat([before, behind], 1)[0], torch.tensor([2, 0, 2]))
    terms = world_model.heads_loss(seg, Rng(0)).terms
    assert float(terms["heads/reward"]) == pytest.approx(float(expected.detach()), rel=1e-4)


# -- one imagined step -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("predict", ["latent", "change"])
def test_a_step_with_a_fresh_denoiser_shrinks_the_noise_as_the_sampler_must(tiny, predict) -> None:
    """D(y; σ) = c_skip·y makes the sampler linear: the noise times a product over its noise levels."""
    config = plain(
        replace(tiny, sampler=SamplerConfig(steps=4, start="sigma_max")),
        predict=predict,
        target_scale="tracked",
        offset_noise=0.3,
    )
    world_model = build(config, constant=0.0)
    world_model.target_scale.mean_square.fill_(0.04)
    z, act = torch.randn(B, 4, *SHAPE), torch.zeros(B, 4, dtype=torch.int64)
    sigmas = karras_sigmas(4, 2e-3, 5.0, 7.0)
    factor = sigmas[0]
    for sigma, after in itertools.pairwise(sigmas):
        c_skip = 0.25 / (0.25 + 0.09 + sigma**2)
        factor *= 1 + (after - sigma) * (1 - c_skip) / sigma
    noise = factor * Rng(5).normal(B, *SHAPE)
    expected = noise * 0.2 / 0.5 + (z[:, 3] if predict == "change" else 0)
    torch.testing.assert_close(world_model.imagine_next(z, act, Rng(5)), expected, rtol=1e-4, atol=1e-5)


def test_a_step_moves_the_window_by_one_and_judges_the_new_transition(tiny, wake) -> None:
    world_model = build(tiny, wake=wake)
    state = world_model.start(segment(t=4))
    act = torch.tensor([2, 0, 1])
    world_model.denoiser.seen.clear()
    after, rew, end = world_model.step(state, act, Rng(0))
    z_seen, act_seen = world_model.denoiser.seen[0]
    assert torch.equal(z_seen, state.z)
    assert torch.equal(act_seen, torch.cat([state.act, act[:, None]], 1))
    assert torch.equal(after.z[:, :3], state.z[:, 1:])
    assert torch.equal(after.act, act_seen[:, 1:])
    _, _, lstm = world_model.heads(after.z[:, 2:], act[:, None], state.lstm)
    assert_same_memory(after.lstm, lstm)
    assert set(rew.tolist()) <= {-1.0, 0.0, 1.0}
    assert end.dtype == torch.bool
