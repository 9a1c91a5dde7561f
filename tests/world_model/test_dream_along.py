"""A dream along given actions: what it sees and returns; and heads that learn on the model's own dreams."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from jedi_sdk.config import Config, SamplerConfig
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import Heads

from .table import SHAPE, B, T, build, plain, segment, with_objective

K = 4


# -- heads that learn on dreams ----------------------------------------------------------------------------------


class Listener(Heads):
    """Heads that keep the latents and actions they were told."""

    heard: Any = None

    def forward(self, z, act, state=None, mask=None):
        self.heard = (z, act)
        return super().forward(z, act, state, mask)


def listening(config: Config, wake, constant: float | None = None) -> Any:
    world_model = build(config, constant=constant)
    world_model.heads = Listener(SHAPE, 3, config.heads)
    for module in (world_model.denoiser, world_model.heads):
        wake(module)
    return world_model


@pytest.mark.parametrize("predict", ["latent", "change"])
def test_the_first_half_of_the_batch_is_dreamed_on_from_its_context(tiny, wake, predict) -> None:
    """By a network that says 0.7: the latent 0.35, or 0.35 more at every step. Of three rows, one is a half."""
    config = plain(tiny, predict=predict, predictor="mse", heads_latents="dreamed")
    world_model, seg = listening(config, wake, constant=0.7), segment()
    world_model.heads_loss(seg, Rng(0))
    told, act = world_model.heads.heard
    z = world_model.encoder.latents.view(B, T, *SHAPE)
    expected = z.detach().clone()
    for t in (4, 5):
        expected[0, t] = 0.35 + (expected[0, t - 1] if predict == "change" else 0)
    torch.testing.assert_close(told, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(act, seg.act[:, :-1])


def test_no_gradient_flows_through_what_was_dreamed_and_the_context_learns_all_the_same(tiny, wake) -> None:
    world_model = listening(with_objective(tiny, latent_scale="none", heads_latents="dreamed"), wake)
    world_model.heads_loss(segment(), Rng(0)).total.backward()
    assert world_model.encoder.learned().tolist() == [[True] * 4 + [False] * 2, [True] * 6, [True] * 6]
    assert all(p.grad is None for p in world_model.denoiser.parameters())
    assert all(p.grad is not None and p.grad.any() for p in world_model.heads.parameters())


def test_the_dreamed_context_learns_from_its_own_transitions_alone(tiny, wake) -> None:
    """The gradient is that of heads told the same latents, whichever way they came about."""
    world_model = listening(plain(tiny, heads_latents="dreamed"), wake)
    world_model.heads_loss(segment(), Rng(0)).total.backward()
    taught = world_model.encoder.latents.grad.view(B, T, *SHAPE)
    told = world_model.heads.heard[0].detach().requires_grad_()
    rew, end, _ = world_model.heads(told, segment().act[:, :-1], mask=torch.ones(B, 3, dtype=torch.bool))
    nothing, goes_on = torch.ones(B * (T - 1), dtype=torch.int64), torch.zeros(B * (T - 1), dtype=torch.int64)
    loss = [torch.nn.functional.cross_entropy(x.flatten(0, 1), y) for x, y in ((rew, nothing), (end, goes_on))]
    (by_hand,) = torch.autograd.grad(loss[0] + loss[1], told)
    torch.testing.assert_close(taught[0, :4], by_hand[0, :4], rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(taught[1:], by_hand[1:], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("b", [1, 2])
def test_half_of_a_batch_of_one_is_nobody(tiny, wake, b) -> None:
    config = plain(tiny, heads_latents="dreamed")
    world_model, seg = listening(config, wake), segment(b)
    world_model.heads_loss(seg, Rng(0))
    encoded = (world_model.heads.heard[0] == world_model.encode(seg.obs)).flatten(2).all(2)
    assert encoded.tolist() == [[True] * 4 + [False] * 2, [True] * 6][-b:]


# -- a dream along given actions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("predictor", ["diffusion", "mse"])
def test_a_dream_along_given_actions_sees_its_own_last_latents_and_the_actions_between(tiny, wake, predictor) -> None:
    world_model = build(with_objective(tiny, predictor=predictor), wake=wake)
    z, act = torch.randn(B, K, *SHAPE), torch.randint(3, (B, K + 5))
    dreamed = world_model.dream_along(z, act, Rng(2))
    assert dreamed.shape == (B, 5, *SHAPE)
    assert not dreamed.requires_grad
    whole, seen = torch.cat([z, dreamed], 1), list(world_model.denoiser.seen)
    calls = 1 if predictor == "mse" else tiny.sampler.steps
    assert len(seen) == 5 * calls
    for i, (context, acts) in enumerate(seen):
        t = i // calls
        assert torch.equal(context, whole[:, t : t + K])
        assert torch.equal(acts, act[:, t : t + K])
    rng = Rng(2)
    for t in range(5):
        assert torch.equal(dreamed[:, t], world_model.imagine_next(whole[:, t : t + K], act[:, t : t + K], rng))


def test_it_is_the_dream_of_a_policy_that_takes_these_actions(tiny, wake) -> None:
    world_model, seg = build(with_objective(tiny, predictor="mse"), wake=wake), segment()
    state = world_model.start(seg[:, :K])
    dreamed = world_model.dream_along(state.z, seg.act, Rng(0))
    for t in range(T - K):
        state, _, _ = world_model.step(state, seg.act[:, K - 1 + t], Rng(1))
        assert torch.equal(state.z[:, -1], dreamed[:, t])


def test_its_last_action_leads_out_and_is_unused(tiny, wake) -> None:
    world_model, z = build(tiny, wake=wake), torch.randn(B, K, *SHAPE)
    act = torch.zeros(B, K + 2, dtype=torch.int64)
    for t in range(K + 2):
        other = act.clone()
        other[:, t] = 2
        same = torch.equal(world_model.dream_along(z, act, Rng(0)), world_model.dream_along(z, other, Rng(0)))
        assert same == (t == K + 1)


def test_its_noise_shrinks_as_the_sampler_must_from_either_start(tiny) -> None:
    """A fresh denoiser keeps c_skip of what it sees: after one step to 0 that is all, of noise of 5 or of 1."""
    c_skip = 0.5**2 / (0.5**2 + 0.3**2 + 5.0**2)
    act = torch.zeros(B, K + 1, dtype=torch.int64)
    for start, size in (("sigma_max", 5.0), ("unit", 1.0)):
        sampler = SamplerConfig(steps=1, start=start)  # type: ignore[arg-type]
        world_model = build(plain(replace(tiny, sampler=sampler)), constant=0.0)
        dreamed = world_model.dream_along(torch.zeros(B, K, *SHAPE), act, Rng(4))
        torch.testing.assert_close(dreamed[:, 0], size * c_skip * Rng(4).normal(B, *SHAPE), rtol=1e-4, atol=1e-7)
