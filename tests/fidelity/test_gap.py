"""Imagined and real returns of known segments, and standard errors that overlap does not flatter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.fidelity.gap import imagined_return, real_return, return_gap
from jedi_sdk.presets import TINY
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, Segment
from jedi_sdk.world_model import WorldModel

K = TINY.context


def segment(lengths: list[int]) -> Segment:
    """Every frame pays 1; row ``i`` has ``lengths[i]`` frames behind its context, of five."""
    b, t = len(lengths), K + 5
    return Segment(
        obs=torch.zeros(b, t, 64, 64, 3, dtype=torch.uint8),
        act=torch.zeros(b, t, dtype=torch.int64),
        rew=torch.ones(b, t),
        end=torch.zeros(b, t, dtype=torch.bool),
        trunc=torch.zeros(b, t, dtype=torch.bool),
        mask=torch.arange(t) < K + torch.tensor(lengths)[:, None],
    )


class Paying(WorldModel):
    """Pays 1 a step and ends at the step ``lasts``."""

    lasts = 3
    t = 0

    def step(self, state: DreamState, act: torch.Tensor, rng: Rng) -> tuple[DreamState, torch.Tensor, torch.Tensor]:
        self.t += 1
        return state, torch.ones(len(act)), torch.full((len(act),), self.t == self.lasts)


def test_the_real_return_stops_with_the_episode():
    returns, whole = real_return(segment([0, 2, 5]), K)
    assert returns.tolist() == [0, 2, 5]
    assert whole.tolist() == [True, True, True]


def test_a_return_cut_by_a_time_limit_is_not_whole():
    played = segment([2, 2, 5])
    trunc = played.trunc.clone()
    trunc[0, K] = True  # the second transition: the last real one
    trunc[1, K + 3] = True  # another episode's
    assert real_return(replace(played, trunc=trunc), K)[1].tolist() == [False, True, True]


def test_the_imagined_return_stops_with_the_dream():
    model = Paying(TINY, 3)
    actor = Actor(ActorCritic(model.latent_shape, 3, TINY.actor_critic), Rng(0))
    assert imagined_return(model, actor, segment([5, 1]), 5).tolist() == [3, 3]


def test_the_gap_of_independent_contexts_has_the_textbook_standard_error():
    g = torch.Generator().manual_seed(0)
    imagined, real = torch.randn(500, generator=g), torch.randn(500, generator=g) + 1
    gap = return_gap(imagined, real, np.arange(500))
    assert gap.gap == pytest.approx(gap.imagined - gap.real)
    assert gap.gap == pytest.approx(-1, abs=4 * gap.gap_stderr)
    assert gap.real_stderr == pytest.approx(float(real.std()) / 500**0.5, rel=1e-5)
    assert gap.contexts == 500


def test_repeated_contexts_are_no_evidence():
    """Each context ten times over, named as one group: the standard error is that of the originals."""
    real = torch.randn(50, generator=torch.Generator().manual_seed(0))
    once = return_gap(real, real, np.arange(50))
    often = return_gap(real.repeat(10), real.repeat(10), np.tile(np.arange(50), 10))
    assert often.real_stderr == pytest.approx(once.real_stderr)
    assert once.gap == once.gap_stderr == 0


def test_without_whole_contexts_there_is_no_gap():
    assert np.isnan(return_gap(torch.empty(0), torch.empty(0), np.empty(0, int)).gap)
