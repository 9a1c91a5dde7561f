"""The actor-critic: losses that can be computed by hand, a bandit it must solve, and a memory that must be right."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.rng import Rng
from jedi_sdk.types import Rollout, Targets

SHAPE = (4, 8, 8)


@pytest.fixture
def fresh(tiny) -> ActorCritic:
    return ActorCritic(SHAPE, 3, tiny.actor_critic)


@pytest.fixture
def awake(fresh, wake) -> ActorCritic:
    return wake(fresh)


def rollout(rew, end=None, act=None, **more) -> Rollout:
    """A dream from its rewards (b t), ends and actions; the mask follows from the ends."""
    rew = torch.tensor(rew)
    end = torch.zeros_like(rew, dtype=torch.bool) if end is None else torch.tensor(end).bool()
    act = torch.zeros_like(rew, dtype=torch.int64) if act is None else torch.tensor(act)
    before = torch.cat([torch.zeros_like(end[:, :1]), end[:, :-1]], dim=1)
    b, t = rew.shape
    z = torch.randn(b, t + 1, *SHAPE)
    lstm = (torch.zeros(b, 16), torch.zeros(b, 16))
    fixed = {"z": z, "act": act, "rew": rew, "end": end, "mask": before.cumsum(1) == 0, "lstm": lstm}
    return Rollout(**{**fixed, **more})


def test_a_fresh_actor_critic_is_indifferent(fresh) -> None:
    logits, val, _ = fresh(torch.randn(2, 3, *SHAPE))
    assert not logits.any()
    assert not val.any()


def test_its_first_loss_by_hand(fresh) -> None:
    """With values of 0 the λ-return is the sum of rewards discounted by γλ; every action has the chance 1/3."""
    c = fresh.config
    d = c.gamma * c.lambda_
    dream = rollout([[1.0, 0.0, -1.0], [0.0, 1.0, 1.0]], end=[[0, 0, 0], [0, 1, 0]])
    returns = [1 - d**2, -d, -1, d, 1]  # the second dream's last step lies behind its end
    losses = fresh.loss(dream)
    terms = {name: float(term) for name, term in losses.terms.items()}
    assert terms["policy/loss"] == pytest.approx(-sum(returns) / 5, rel=1e-5)
    assert terms["policy/value_loss"] == pytest.approx(sum(r**2 for r in returns) / 5, rel=1e-5)
    assert terms["policy/entropy"] == pytest.approx(math.log(3), rel=1e-5)
    assert terms["imagined/return"] == pytest.approx((0 + 1) / 2, abs=1e-6)
    assert terms["imagined/ends"] == pytest.approx(1 / 2)
    expected = terms["policy/loss"] + terms["policy/value_loss"] - c.entropy * math.log(3)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_a_dream_bootstraps_at_its_horizon_from_the_value_there(fresh) -> None:
    torch.nn.init.constant_(fresh.critic.bias, 2.0)
    gamma = fresh.config.gamma
    value_loss = fresh.loss(rollout([[1.0]])).terms["policy/value_loss"]
    assert float(value_loss) == pytest.approx((1 + gamma * 2 - 2) ** 2, rel=1e-5)
    ended = fresh.loss(rollout([[1.0]], end=[[1]])).terms["policy/value_loss"]
    assert float(ended) == pytest.approx((1 - 2) ** 2, rel=1e-5)


def test_nothing_behind_an_end_matters(awake) -> None:
    dream = rollout([[1.0, -1.0, 0.0, 1.0]], end=[[0, 1, 0, 0]], act=[[0, 1, 2, 0]])
    z = dream.z.clone()
    z[:, 2:] = torch.randn(1, 3, *SHAPE)
    rew = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    other = replace(dream, z=z, rew=rew, act=torch.tensor([[0, 1, 0, 1]]), end=torch.tensor([[False, True] * 2]))
    losses = [awake.loss(d) for d in (dream, other)]
    assert float(losses[0].total.detach()) == pytest.approx(float(losses[1].total.detach()), rel=1e-6)
    gradients = [torch.autograd.grad(loss.total, list(awake.parameters())) for loss in losses]
    for one, another in zip(*gradients, strict=True):
        torch.testing.assert_close(one, another)


@pytest.mark.parametrize("clip_range", [0.0, 0.2])
def test_the_gradient_is_reinforces(awake, clip_range) -> None:
    """∇ of -mean(log π(a)·(R - V)) + mean((V - R)²) - η·entropy, with R and the advantage held fixed."""
    dream = rollout([[1.0], [-1.0]], end=[[1], [0]], act=[[2], [0]])
    awake.config = replace(awake.config, clip_range=clip_range)
    losses = awake.loss(dream)
    assert float(losses.terms["policy/clipped"]) == 0
    measured = torch.autograd.grad(losses.total, list(awake.parameters()))
    logits, val, _ = awake(dream.z, dream.lstm)
    policy = torch.distributions.Categorical(logits=logits[:, 0])
    returns = torch.tensor([1.0, -1.0 + awake.config.gamma * float(val[1, 1].detach())])
    loss = -(policy.log_prob(dream.act[:, 0]) * (returns - val[:, 0].detach())).mean()
    loss = loss + (val[:, 0] - returns).square().mean()
    loss = loss - awake.config.entropy * policy.entropy().mean()
    for one, another in zip(measured, torch.autograd.grad(loss, list(awake.parameters())), strict=True):
        torch.testing.assert_close(one, another, rtol=1e-4, atol=1e-6)


def test_later_gradient_steps_by_hand(awake) -> None:
    """Equation 7 of PPO: an action that became likelier by more than the clip earns no more; a bad one still costs."""
    dream = rollout([[1.0, -1.0], [1.0, -1.0]], end=[[0, 1], [0, 1]], act=[[0, 1], [2, 0]])
    was = awake.loss(dream).targets
    ratio = torch.tensor([[1.5, 1.5], [0.5, 1.1]])  # of what the actions' chances are now to what they were
    returns = torch.tensor([[3.0, 1.0], [-2.0, 0.5]])  # what the first step aimed at, and not what the rewards say
    aims = Targets(returns, torch.tensor([[1.0, -1.0], [2.0, -2.0]]), was.log_p - ratio.log())
    terms = {name: float(term) for name, term in awake.loss(dream, aims).terms.items()}
    val = awake(dream.z, dream.lstm)[1][:, :-1].detach()
    assert awake.config.clip_range == 0.2
    assert terms["policy/loss"] == pytest.approx(-(1.2 - 1.5 + 2 * 0.5 - 2 * 1.1) / 4, rel=1e-5)
    assert terms["policy/value_loss"] == pytest.approx(float((val - returns).square().mean()), rel=1e-5)
    assert terms["policy/clipped"] == 0.75


def test_targets_stay_those_of_the_first_step(awake) -> None:
    dream = rollout([[1.0, 0.0], [-1.0, 1.0]], act=[[2, 1], [0, 0]])
    targets = awake.loss(dream).targets
    val = awake(dream.z, dream.lstm)[1].detach()
    torch.testing.assert_close(targets.advantage, targets.returns - val[:, :-1])
    assert not any(x.requires_grad for x in (targets.returns, targets.advantage, targets.log_p))
    with torch.no_grad():
        awake.critic.bias += 1.0
    assert awake.loss(dream, targets).targets is targets
    assert not torch.equal(awake.loss(dream).targets.returns, targets.returns)


def test_a_normalised_advantage_has_unit_spread_where_the_dream_runs(fresh) -> None:
    c = fresh.config
    fresh.config = replace(c, normalize_advantage=True)
    dream = rollout([[1.0, 0.0, 5.0], [0.0, -1.0, 1.0]], end=[[0, 1, 0], [0, 0, 0]])
    targets = fresh.loss(dream).targets
    d = c.gamma * c.lambda_
    returns = torch.tensor([1.0, 0.0, -d + d**2, -1 + d, 1.0])  # values are 0; what lies behind the end has no part
    expected = (returns - returns.mean()) / returns.std(correction=0)
    torch.testing.assert_close(targets.advantage[dream.mask], expected)
    torch.testing.assert_close(targets.returns[dream.mask], returns)
    nothing = rollout([[0.0, 0.0]])
    assert not fresh.loss(nothing).targets.advantage.any()  # and not NaN


def test_it_learns_which_arm_pays_and_what_that_is_worth(fresh) -> None:
    optimizer, actor = torch.optim.Adam(fresh.parameters(), lr=3e-3), Actor(fresh, Rng(0))
    z = torch.randn(1, 1, *SHAPE).expand(32, 2, *SHAPE)
    nobody = torch.zeros(32, dtype=torch.bool)
    for _ in range(120):
        act, _ = actor(z[:, 0], None, nobody)
        rew = (act == 2).float()
        dream = rollout(rew[:, None].tolist(), end=[[1]] * 32, act=act[:, None].tolist(), z=z)
        optimizer.zero_grad()
        fresh.loss(dream).total.backward()
        optimizer.step()
    with torch.no_grad():
        logits, val, _ = fresh(z[:1, :1])
    assert float(logits.softmax(-1)[0, 0, 2]) > 0.9
    assert float(val) == pytest.approx(1, abs=0.1)


# -- memory ----------------------------------------------------------------------------------------------------


def one_by_one(actor_critic: ActorCritic, z: torch.Tensor, start: torch.Tensor) -> Any:
    """The memory of an actor that saw all but the last frame; row ``i``'s episode began at frame ``start[i]``."""
    actor, memory = Actor(actor_critic, Rng(0)), None
    for t in range(z.shape[1] - 1):
        _, memory = actor(z[:, t], memory, start == t)
    return memory


def test_burning_in_is_having_seen_the_frames_one_by_one(awake) -> None:
    """Also in the middle of the context: rows 1 and 2 are padded, their episodes begin at frames 1 and 2."""
    z, start = torch.randn(3, 4, *SHAPE), torch.tensor([0, 1, 2])
    mask = torch.arange(4)[None] >= start[:, None]
    for burnt, stepped in zip(awake.burn_in(z, mask), one_by_one(awake, z, start), strict=True):
        torch.testing.assert_close(burnt, stepped, rtol=1e-4, atol=1e-6)
        assert burnt.any(1).all()
        assert not burnt.requires_grad


def test_an_episode_that_begins_at_the_anchor_has_no_memory(awake) -> None:
    z, mask = torch.randn(2, 4, *SHAPE), torch.tensor([[False, False, False, True]] * 2)
    assert not any(x.any() for x in awake.burn_in(z, mask))
    assert not any(x.any() for x in awake.burn_in(z[:, :1], mask[:, 3:]))


def test_padding_is_as_if_it_were_not_there(awake) -> None:
    z = torch.randn(1, 4, *SHAPE)
    padded = awake.burn_in(z, torch.tensor([[False, True, True, True]]))
    unpadded = awake.burn_in(z[:, 1:], torch.ones(1, 3, dtype=torch.bool))
    for one, other in zip(padded, unpadded, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_first_frame_makes_its_own_row_forget(awake) -> None:
    actor, x = Actor(awake, Rng(0)), torch.randn(2, *SHAPE)
    memory = (torch.randn(2, 16), torch.randn(2, 16))
    first = torch.tensor([True, False])
    _, after = actor(x, memory, first)
    _, forgot = actor(x, None, first)
    _, kept = actor(x, memory, torch.tensor([False, False]))
    for i in range(2):
        assert torch.equal(after[i][0], forgot[i][0])
        assert torch.equal(after[i][1], kept[i][1])
        assert not torch.allclose(forgot[i], kept[i])


# -- choosing --------------------------------------------------------------------------------------------------


def chosen(actor_critic: ActorCritic, n: int = 6_000, **options) -> torch.Tensor:
    """How often each action is chosen where the logits are 0, 1 and 2."""
    torch.nn.init.zeros_(actor_critic.actor.weight)
    actor_critic.actor.bias.data = torch.tensor([0.0, 1.0, 2.0])
    x, first = torch.zeros(n, *SHAPE), torch.zeros(n, dtype=torch.bool)
    act, _ = Actor(actor_critic, Rng(0), **options)(x, None, first)
    return act.bincount(minlength=3) / n


def test_actions_are_sampled_or_the_likeliest_or_at_random(awake) -> None:
    p = torch.tensor([0.0, 1.0, 2.0]).softmax(0)
    torch.testing.assert_close(chosen(awake), p, rtol=0, atol=0.025)
    assert chosen(awake, deterministic=True).tolist() == [0, 0, 1]
    torch.testing.assert_close(chosen(awake, epsilon=1.0), torch.full((3,), 1 / 3), rtol=0, atol=0.025)
    half = 0.5 * torch.tensor([0.0, 0.0, 1.0]) + 0.5 / 3
    torch.testing.assert_close(chosen(awake, deterministic=True, epsilon=0.5), half, rtol=0, atol=0.025)


def test_it_sees_through_its_encoder(awake) -> None:
    x, first = torch.randn(2, *SHAPE), torch.ones(2, dtype=torch.bool)
    _, through = Actor(awake, Rng(0), encode=lambda x: 2 * x)(x, None, first)
    _, direct = Actor(awake, Rng(0))(2 * x, None, first)
    assert all(torch.equal(one, other) for one, other in zip(through, direct, strict=True))
