"""Imagination: what a rollout holds, that rows do not touch each other, and that nothing else is touched."""

from dataclasses import replace

import pytest
import torch

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.config import Config, SamplerConfig
from jedi_sdk.dream import imagine
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState
from jedi_sdk.world_model import WorldModel

SHAPE = (4, 8, 8)


class RowRng(Rng):
    """Randomness row by row: row ``i`` of whatever is drawn comes from its own generator."""

    def __init__(self, seeds: list[int]) -> None:
        super().__init__(0)
        self.rows = [Rng(seed) for seed in seeds]

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.stack([rng.normal(*shape[1:]) for rng in self._rows(shape[0])])

    def uniform(self, *shape: int) -> torch.Tensor:
        return torch.stack([rng.uniform(*shape[1:]) for rng in self._rows(shape[0])])

    def integers(self, high: int, n: int) -> torch.Tensor:
        return torch.cat([rng.integers(high, 1) for rng in self._rows(n)])

    def _rows(self, n: int) -> list[Rng]:
        assert n == len(self.rows)
        return self.rows


def build(config: Config, wake) -> tuple[WorldModel, ActorCritic]:
    world_model = wake(WorldModel(config, 3))
    world_model.target_scale.mean_square.fill_(0.1)
    return world_model, wake(ActorCritic(SHAPE, 3, config.actor_critic))


def start(world_model: WorldModel, b: int) -> DreamState:
    z, act = 0.5 * torch.randn(b, 4, *SHAPE), torch.randint(3, (b, 3))
    mask = torch.ones(b, 4, dtype=torch.bool)
    mask[0, :2] = False
    return world_model.start_from(z, act, mask)


def row(state: DreamState, i: int) -> DreamState:
    here = slice(i, i + 1)
    return DreamState(state.z[here], state.act[here], (state.lstm[0][here], state.lstm[1][here]))


VARIANTS = {
    "default": {},
    "churn": {"sampler": SamplerConfig(steps=3, s_churn=1.0)},
    "heun": {"sampler": SamplerConfig(steps=3, method="heun", sigma_min=0.1)},  # a smaller one amplifies rounding
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_dreams_is_the_same_dreams_one_by_one(tiny, wake, variant: str) -> None:
    world_model, actor_critic = build(replace(tiny, **VARIANTS[variant]), wake)
    b, horizon, seeds = 5, 6, [11, 12, 13, 14, 15]
    state = start(world_model, b)
    memory = (torch.randn(b, 16), torch.randn(b, 16))

    def dream(state: DreamState, memory, seeds: list[int]):
        rng = RowRng(seeds)
        return imagine(world_model, Actor(actor_critic, rng, epsilon=0.2), state, horizon, rng, memory)

    together = dream(state, memory, seeds)
    for i in range(b):
        alone = dream(row(state, i), tuple(x[i : i + 1] for x in memory), seeds[i : i + 1])
        for name in ("act", "rew", "end", "mask"):
            assert torch.equal(getattr(alone, name)[0], getattr(together, name)[i])
        torch.testing.assert_close(alone.z[0], together.z[i], rtol=1e-3, atol=1e-4)
    assert len(together.act.unique()) == 3
    assert not torch.equal(together.z[0], together.z[1])


def counting(x: torch.Tensor, state, first: torch.Tensor):
    """A policy that acts by the number of its call, remembers what it saw, and must never be told to forget."""
    assert not first.any()
    assert not torch.is_grad_enabled()
    seen = [*(state or []), x.clone()]
    return torch.full((len(x),), len(seen) % 3), seen


def test_what_a_rollout_holds(tiny, wake) -> None:
    world_model, _ = build(tiny, wake)
    state, seen = start(world_model, 8), []

    def policy(x, state, first):
        act, seen[:] = counting(x, state, first)
        return act, list(seen)

    rollout = imagine(world_model, policy, state, 5, Rng(0), None)
    assert rollout.z.shape == (8, 6, *SHAPE)
    assert torch.equal(rollout.z[:, 0], state.z[:, -1])
    assert torch.equal(rollout.z[:, :-1], torch.stack(seen, 1))  # where each action was chosen
    assert rollout.act[0].tolist() == [1, 2, 0, 1, 2]
    assert rollout.rew.shape == rollout.end.shape == rollout.mask.shape == (8, 5)
    assert rollout.lstm is None


def test_it_is_the_world_models_steps_one_behind_another(tiny, wake) -> None:
    world_model, _ = build(tiny, wake)
    state, rng = start(world_model, 8), Rng(3)
    rollout = imagine(world_model, counting, state, 4, Rng(3), None)
    for t in range(4):
        state, rew, end = world_model.step(state, rollout.act[:, t], rng)
        assert torch.equal(rollout.z[:, t + 1], state.z[:, -1])
        assert torch.equal(rollout.rew[:, t], rew)
        assert torch.equal(rollout.end[:, t], end)


def test_a_mean_pays_as_much_as_what_is_drawn_and_varies_less(tiny, wake) -> None:
    """Two thousand dreams from one moment."""
    world_model, _ = build(tiny, wake)
    state = start(world_model, 2)
    many = DreamState(
        *(x[1:].expand(2000, *x.shape[1:]) for x in (state.z, state.act)),
        tuple(x[1:].expand(2000, -1) for x in state.lstm),
    )
    drawn, mean = (imagine(world_model, counting, many, 3, Rng(7), reward=how).rew for how in ("sample", "mean"))
    assert set(drawn.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert ((mean > -1) & (mean < 1)).all()
    torch.testing.assert_close(mean.mean(0), drawn.mean(0), rtol=0, atol=4 * 2000**-0.5)
    assert (mean.var(0) < drawn.var(0) / 4).all()


def test_the_mask_is_true_up_to_and_at_the_action_that_ended_the_dream(tiny, wake) -> None:
    world_model, actor_critic = build(tiny, wake)
    rollout = imagine(world_model, Actor(actor_critic, Rng(0)), start(world_model, 64), 8, Rng(0))
    assert 10 < int(rollout.end[:, 0].sum()) < 54
    for end, mask in zip(rollout.end.tolist(), rollout.mask.tolist(), strict=True):
        steps = end.index(True) + 1 if True in end else 8
        assert mask == [True] * steps + [False] * (8 - steps)


def test_it_leaves_no_gradient_no_trace_in_the_networks_and_none_in_torchs_generator(tiny, wake) -> None:
    world_model, actor_critic = build(tiny, wake)
    state, torchs = start(world_model, 4), torch.get_rng_state()
    before = [{k: v.clone() for k, v in module.state_dict().items()} for module in (world_model, actor_critic)]
    rollout = imagine(world_model, Actor(actor_critic, Rng(0)), state, 4, Rng(0))
    assert not rollout.z.requires_grad
    for module, old in zip((world_model, actor_critic), before, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in module.state_dict().items())
        assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(torch.get_rng_state(), torchs)


def test_a_dream_is_a_function_of_its_generators(tiny, wake) -> None:
    world_model, actor_critic = build(tiny, wake)
    state = start(world_model, 4)
    one, again, other = (
        imagine(world_model, Actor(actor_critic, Rng(seed)), state, 4, Rng(seed)).z for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
