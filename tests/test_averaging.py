"""Weights that follow others: by hand, with what is not trained, and at the start."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jedi_sdk.averaging import follow, warmed_up


def test_weights_are_averaged_and_buffers_copied() -> None:
    slow, fast = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(slow.weight, 4.0)
    nn.init.constant_(fast.weight, 8.0)
    fast.num_batches_tracked.fill_(7)
    nn.init.constant_(fast.get_buffer("running_mean"), 5.0)
    follow(slow, fast, 0.75)
    assert slow.weight.tolist() == [5.0, 5.0]
    assert (int(slow.num_batches_tracked), slow.get_buffer("running_mean").tolist()) == (7, [5.0, 5.0])
    assert fast.weight.tolist() == [8.0, 8.0]


def test_nothing_to_average_is_no_mistake() -> None:
    follow(nn.Identity(), nn.Identity(), 0.9)


def test_a_cast_that_was_kept_is_not_that_of_older_weights() -> None:
    """Layers keep what they cast until the weight is written to: following is writing."""
    before = (weight := nn.Parameter(torch.zeros(3)))._version
    slow, fast = nn.Module(), nn.Module()
    slow.register_parameter("weight", weight)
    fast.register_parameter("weight", nn.Parameter(torch.ones(3)))
    follow(slow, fast, 0.5)
    assert weight._version > before


@pytest.mark.parametrize(("updates", "decay"), [(0, 0.1), (1, 2 / 11), (90, 0.91), (890, 0.99), (10_000, 0.99)])
def test_the_average_is_short_at_first(updates: int, decay: float) -> None:
    assert warmed_up(0.99, updates) == pytest.approx(decay)
