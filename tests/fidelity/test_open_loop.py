"""The open loop against dreams whose figures are known: a perfect one, a frozen one, shifted and exaggerating ones."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jedi_sdk.config import SamplerConfig
from jedi_sdk.fidelity import Confusion, OpenLoop, open_loop
from jedi_sdk.fidelity.open_loop import dream_along, encode_frames
from jedi_sdk.presets import TINY
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, Segment
from jedi_sdk.world_model import WorldModel

HORIZON = 5
LENGTH = TINY.context + HORIZON


class Told(WorldModel):
    """A real world model that is told the segment: dreams it as it was, plus ``error`` in every element, and
    ``stretch`` times as far from the last real latent.
    """

    def __init__(self, segment: Segment, error: float = 0.0, stretch: float = 1.0) -> None:
        super().__init__(TINY, num_actions=3)
        self.segment, self.error, self.stretch = segment, error, stretch
        self.t = self.context - 1
        self.z_last = self.encode(segment.obs[:, self.t]).detach()

    def step(self, state: DreamState, act: torch.Tensor, rng: Rng, sampler: SamplerConfig | None) -> Any:
        t, self.t = self.t, self.t + 1
        assert torch.equal(act, self.segment.act[:, t])  # the recorded action
        z = self.encode(self.segment.obs[:, t + 1]) + self.error
        z = torch.lerp(self.z_last, z, self.stretch)
        z = torch.cat([state.z[:, 1:], z[:, None]], dim=1)
        return DreamState(z, state.act, state.lstm), self.segment.rew[:, t], self.segment.end[:, t]


class Frozen(WorldModel):
    """A world in which nothing moves, nothing pays and nothing ends."""

    def step(self, state: DreamState, act: torch.Tensor, rng: Rng, sampler: SamplerConfig | None) -> Any:
        return state, torch.zeros(len(act)), torch.zeros(len(act), dtype=torch.bool)

    def read(self, z: torch.Tensor, z_next: torch.Tensor, act: torch.Tensor, lstm: Any, rng: Rng) -> Any:
        return torch.zeros(len(act)), torch.zeros(len(act), dtype=torch.bool), lstm


def segment(b: int = 6, seed: int = 0) -> Segment:
    g = torch.Generator().manual_seed(seed)
    mask = torch.ones(b, LENGTH, dtype=torch.bool)
    mask[0, :2] = False  # began two frames before the anchor
    mask[1, TINY.context + 1 :] = False  # ended behind the first transition
    return Segment(
        obs=torch.randint(256, (b, LENGTH, 64, 64, 3), generator=g).to(torch.uint8),
        act=torch.randint(3, (b, LENGTH), generator=g),
        rew=torch.randint(-1, 2, (b, LENGTH), generator=g).float(),
        end=torch.rand(b, LENGTH, generator=g) < 0.3,
        trunc=torch.zeros(b, LENGTH, dtype=torch.bool),
        mask=mask,
    )


def assert_same(a: OpenLoop, b: OpenLoop) -> None:
    assert torch.equal(a.count, b.count)
    counted = ("rew", "end", "rew_encoded", "end_encoded")
    assert all(torch.equal(getattr(a, name).matrix, getattr(b, name).matrix) for name in counted)
    for name in {f.name for f in fields(OpenLoop)} - {"count", *counted}:
        torch.testing.assert_close(getattr(a, name), getattr(b, name))


def test_a_perfect_dream_has_no_error():
    played = segment()
    loop = open_loop(Told(played), played, Rng(0))
    assert torch.equal(loop.ratio, torch.zeros(HORIZON).double())
    assert torch.equal(loop.fraction, torch.zeros(HORIZON).double())
    torch.testing.assert_close(loop.size, torch.ones(HORIZON).double())
    torch.testing.assert_close(loop.liveliness, torch.ones(HORIZON).double())
    assert loop.rew.balanced_accuracy == loop.end.balanced_accuracy == 1.0
    assert torch.equal(loop.rew.frequency_real, loop.rew.frequency_dreamed)
    assert loop.count.tolist() == [6, 5, 5, 5, 5]


def test_a_frozen_dream_is_repeat_last():
    played = segment()
    loop = open_loop(Frozen(TINY, 3), played, Rng(0))
    assert torch.equal(loop.ratio, torch.ones(HORIZON).double())
    assert torch.equal(loop.fraction, loop.repeat_fraction)
    assert torch.equal(loop.liveliness, torch.zeros(HORIZON).double())
    assert bool((loop.motion > 0).all())
    assert bool((loop.repeat_fraction > 0).all())
    assert loop.rew.balanced_accuracy == pytest.approx(loop.rew.trivial) == pytest.approx(1 / 3)
    assert loop.end.balanced_accuracy == 0.5
    assert loop.end.frequency_dreamed.tolist() == [1, 0]


class Knowing(Frozen):
    """A frozen world whose heads know the real frames by heart."""

    def __init__(self, segment: Segment) -> None:
        super().__init__(TINY, 3)
        self.segment, self.t = segment, self.context - 1

    def read(self, z: torch.Tensor, z_next: torch.Tensor, act: torch.Tensor, lstm: Any, rng: Rng) -> Any:
        t, self.t = self.t, self.t + 1
        shown = torch.stack([z, z_next]), torch.stack([self.encode(self.segment.obs[:, i]) for i in (t, t + 1)])
        torch.testing.assert_close(*shown)
        assert torch.equal(act, self.segment.act[:, t])
        return self.segment.rew[:, t], self.segment.end[:, t], lstm


def test_what_heads_make_of_real_frames_is_not_what_they_make_of_the_dream():
    """A dream that shows nothing is to blame for what heads do not say there and say of the frames."""
    played = segment()
    loop = open_loop(Knowing(played), played, Rng(0))
    assert loop.rew_encoded.balanced_accuracy == loop.end_encoded.balanced_accuracy == 1.0
    assert torch.equal(loop.rew_encoded.matrix.sum(1), loop.rew.matrix.sum(1))
    assert loop.rew.balanced_accuracy == pytest.approx(1 / 3)
    assert loop.end.balanced_accuracy == 0.5


def test_reading_real_frames_leaves_the_dreams_draws_alone():
    """What is dreamed depends on the seed alone, whether or not frames are read beside it."""
    played, model, rng, alone = segment(), WorldModel(TINY, num_actions=3), Rng(0), Rng(0)
    open_loop(model, played, rng)
    dream_along(model, played, encode_frames(model, played.obs), alone)
    assert torch.equal(rng.state(), alone.state())


def test_each_batch_of_real_frames_is_read_with_draws_of_its_own():
    """Or as many draws as one batch has decide the figures of a thousand contexts. Fresh heads toss a coin."""
    played, model, rng = segment(), WorldModel(TINY, num_actions=3), Rng(0)
    first, second = (open_loop(model, played, rng).end_encoded.matrix for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(open_loop(model, played, Rng(0)).end_encoded.matrix, first)


def test_heads_read_real_frames_as_their_loss_does():
    """Woken heads, one transition after the other from the burnt-in memory: the likeliest class of whole segments."""
    played = segment()[2:]
    torch.manual_seed(0)
    model = WorldModel(TINY, num_actions=3)
    for parameter in model.heads.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    last = model.heads.out[-1]
    last.weight.data *= 1e4  # so sure that nothing is left to chance
    loop = open_loop(model, played, Rng(0))
    with torch.no_grad():
        logits, ends, _ = model.heads(model.encode(played.obs), played.act[:, :-1])
    k = TINY.context - 1
    said = Confusion.count(played.rew[:, k:-1].long().flatten() + 1, logits[:, k:].argmax(-1).flatten(), 3)
    ended = Confusion.count(played.end[:, k:-1].long().flatten(), ends[:, k:].argmax(-1).flatten(), 2)
    assert torch.equal(loop.rew_encoded.matrix, said.matrix)
    assert torch.equal(loop.end_encoded.matrix, ended.matrix)
    assert (said.matrix.sum(0) > 0).sum() > 1  # they do not always say the same


def test_a_known_error_over_a_known_variance():
    played = segment()
    model = Told(played, error=0.5)
    loop = open_loop(model, played, Rng(0))
    z = model.encode(played.obs[:, TINY.context :]).double()
    rows = [z[played.mask[:, TINY.context + i], i] for i in range(HORIZON)]
    variance = torch.stack([row.var(0, correction=0).sum() for row in rows])
    torch.testing.assert_close(loop.variance, variance)
    torch.testing.assert_close(loop.fraction, 0.25 * z[0, 0].numel() / variance, rtol=1e-5, atol=0)


def real_latents(model: WorldModel, played: Segment) -> torch.Tensor:
    """From the context's last on."""
    return model.encode(played.obs[:, TINY.context - 1 :]).detach().double()


def test_how_large_and_how_lively_a_shifted_dream_is():
    """It jumps away at its first step and then moves as the real world does."""
    played = segment(b=4)[2:]  # whole ones
    model = Told(played, error=0.5)
    loop, z = open_loop(model, played, Rng(0)), real_latents(model, played)
    expected = ((z[:, 1:] + 0.5).square().sum((0, 2, 3, 4)) / z[:, 1:].square().sum((0, 2, 3, 4))).sqrt()
    torch.testing.assert_close(loop.size, expected, rtol=1e-5, atol=0)
    jump = (z[:, 1] + 0.5 - z[:, 0]).square().sum() / (z[:, 1] - z[:, 0]).square().sum()
    torch.testing.assert_close(loop.liveliness, torch.tensor([jump, 1, 1, 1, 1]).double(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("stretch", [0.5, 2.0])
def test_a_dream_that_moves_twice_as_far_is_four_times_as_lively(stretch: float):
    played = segment()
    model = Told(played, stretch=stretch)
    loop, z = open_loop(model, played, Rng(0)), real_latents(model, played)
    torch.testing.assert_close(loop.liveliness, torch.full((HORIZON,), stretch**2).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(loop.ratio, torch.full((HORIZON,), (stretch - 1) ** 2).double(), rtol=1e-4, atol=0)
    first = z[:, 0] + stretch * (z[:, 1] - z[:, 0])  # all six of the first transitions are real
    expected = (first.square().sum() / z[:, 1].square().sum()).sqrt()
    assert float(loop.size[0]) == pytest.approx(float(expected), rel=1e-5)


def test_parts_add_up():
    played = segment()
    model = Frozen(TINY, 3)
    whole = open_loop(model, played, Rng(0))
    assert_same(open_loop(model, played[:2], Rng(0)) + open_loop(model, played[2:], Rng(0)), whole)


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_what_is_masked_never_counts(data: st.DataObject):
    """Whatever stands behind an episode's end, frames and rewards, the figures are the same."""
    played = segment()
    lengths = data.draw(st.lists(st.integers(TINY.context, LENGTH), min_size=6, max_size=6))
    mask = torch.arange(LENGTH) < torch.tensor(lengths)[:, None]
    other = segment(seed=data.draw(st.integers(1, 100)))
    mixed = {}
    for name in ("obs", "rew", "end"):
        mine, theirs = getattr(played, name), getattr(other, name)
        # a transition's reward lies with the frame before it: the last real frame's own belongs to nobody
        keep = mask if name == "obs" else mask & mask.roll(-1, 1) & (torch.arange(LENGTH) < LENGTH - 1)
        mixed[name] = torch.where(keep.reshape(*keep.shape, *[1] * (mine.ndim - 2)), mine, theirs)
    model = Frozen(TINY, 3)
    cut = Segment(**{**vars(played), "mask": mask})
    assert_same(open_loop(model, cut, Rng(0)), open_loop(model, Segment(**{**vars(cut), **mixed}), Rng(0)))
    assert open_loop(model, cut, Rng(0)).rew.matrix.sum() == sum(lengths) - 6 * TINY.context


def test_a_real_model_dreams_the_same_twice_and_leaves_no_gradient():
    model = WorldModel(TINY, 3)
    loop = open_loop(model, segment(), Rng(0))
    assert loop.horizon == HORIZON
    assert bool(loop.ratio.isfinite().all())
    assert not loop.error.requires_grad
    assert_same(open_loop(model, segment(), Rng(0)), loop)
    assert not torch.equal(open_loop(model, segment(), Rng(1)).error, loop.error)


def test_confusion_of_known_counts():
    real = torch.tensor([1, 1, 1, 1, 2, 2])
    dreamed = torch.tensor([1, 1, 1, 0, 2, 1])
    confusion = Confusion.count(real, dreamed, 3)
    assert confusion.matrix.tolist() == [[0, 0, 0], [1, 3, 0], [0, 1, 1]]
    assert confusion.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert confusion.trivial == 0.5  # of the two classes that occurred
    assert confusion.frequency_real.tolist() == pytest.approx([0, 4 / 6, 2 / 6])
    assert confusion.frequency_dreamed.tolist() == pytest.approx([1 / 6, 4 / 6, 1 / 6])


def test_nothing_counted_is_nan():
    empty = Confusion.count(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 2)
    assert empty.balanced_accuracy != empty.balanced_accuracy
    assert empty.trivial != empty.trivial
