"""The generator that a checkpoint carries, and what becomes of it on another kind of device."""

import torch

from jedi_sdk.rng import Rng

ELSEWHERE = torch.arange(16, dtype=torch.uint8)  # as long as the state of a CUDA generator


def test_it_goes_on_where_it_was() -> None:
    one, other = Rng(0), Rng(1)
    one.normal(3)
    other.restore(one.state())
    assert torch.equal(one.normal(5), other.normal(5))


def test_one_apart_takes_nothing_and_depends_on_where_the_other_stands() -> None:
    one, alone = Rng(0), Rng(0)
    first, again = one.apart().normal(5), one.apart().normal(5)
    assert torch.equal(first, again)
    assert torch.equal(one.normal(5), alone.normal(5))
    assert not torch.equal(one.apart().normal(5), first)


def test_a_state_from_another_device_is_a_seed() -> None:
    one, other, third = Rng(0), Rng(1), Rng(0)
    one.restore(ELSEWHERE)
    other.restore(ELSEWHERE)
    third.restore(ELSEWHERE.flip(0))
    drawn = one.normal(5)
    assert torch.equal(drawn, other.normal(5))
    assert not torch.equal(drawn, third.normal(5))
