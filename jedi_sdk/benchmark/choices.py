"""Does the dream know what an action does? Several ways on from one moment of the real game, the dream beside each.

A dream may pay as often as the game does and still not tell a ball that is hit from one that is missed. Nothing is to
be learned in it then. Between two ways on from the same moment nothing differs but the actions: where the game pays one
of them more, or ends one of them, the dream must say so of the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from jedi_sdk.actor_critic import Actor
from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.judge import ratio_of_shares
from jedi_sdk.benchmark.ways import Ways
from jedi_sdk.envs import make_envs
from jedi_sdk.fidelity.open_loop import dream_along, encode_frames, read_along
from jedi_sdk.progress import Report
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel

DREAMS = 8  # of each way: what comes of it is drawn
INTO = 200  # steps into a game within which the moments lie
KINDS = ("random", "its own")  # ways on: the first half, and the second
OUTCOMES = ("return", "end")

Ways2 = Float64[np.ndarray, "moments ways"]


@dataclass(frozen=True)
class Right:
    """The share of pairs put in the game's order, ties counting half (1 is right, 0.5 chance), and its standard error
    over moments; NaN where the game told no two ways apart."""

    share: float
    stderr: float


@dataclass(frozen=True)
class Choice:
    """``pairs`` of ways on from one moment with another ``outcome`` in the game. ``real``, ``dreamed`` and ``encoded``:
    what comes of a way on average; ``encoded`` is what the heads make of the real frames.
    """

    ways: str
    outcome: str
    pairs: int
    right: Right
    right_encoded: Right
    real: float
    dreamed: float
    encoded: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_choices(agent: JEDI, moments: int, ways: int, horizon: int, seed: int, report: Report) -> list[Choice]:
    """At ``moments`` of the agent's play: ``ways`` random ways on and as many of its own, ``horizon`` steps each.

    Raises ``WaysError`` for a game that does not go the same way twice.
    """
    outcomes = [
        np.stack(each) for each in zip(*_all_outcomes(agent, moments, ways, horizon, seed, report), strict=True)
    ]
    found = []
    for kind, name in enumerate(KINDS):
        mine = slice(kind * ways, (kind + 1) * ways)
        for i, outcome in enumerate(OUTCOMES):
            found.append(_choice(name, outcome, *(each[:, i, mine] for each in outcomes)))
    return found


def _all_outcomes(
    agent: JEDI, moments: int, ways: int, horizon: int, seed: int, report: Report
) -> Iterator[tuple[np.ndarray, ...]]:
    precision, rng = agent.precision, Rng(seed, agent.precision.device)
    envs = make_envs(agent.game, 2 * ways)
    actor = Actor(agent.actor_critic, rng, agent.world_model.encode)
    onward = Ways(envs, actor, agent.config, precision, rng)
    into, found, game = np.random.default_rng(seed), 0, seed
    try:
        while found < moments:
            segment = onward(int(into.integers(1, INTO)), horizon, game)
            game += 1
            if segment is None:
                continue
            with precision.autocast():
                yield outcomes(agent.world_model, segment, rng)
            found += 1
            report(found / moments)
    finally:
        envs.close()


def outcomes(world_model: WorldModel, segment: Segment, rng: Rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What comes of each row's actions behind its context: really, in dreams, and as the heads read the real frames.
    For each the sum of reward signs until the end, and how often it ends, (2, ways)."""
    last = world_model.context - 1
    real = segment.mask[:, last:-1] & segment.mask[:, last + 1 :]
    rew, end = segment.rew[:, last:-1] * real, segment.end[:, last:-1] & real
    z = encode_frames(world_model, segment.obs)
    many = torch.arange(len(z), device=z.device).repeat_interleave(DREAMS)
    dreamed = dream_along(world_model, segment[many], z[many], rng)[1:]
    rew_encoded, end_encoded = read_along(world_model, segment[many], z[many], rng)
    encoded = rew_encoded * real[many], end_encoded & real[many]
    return _come_to(rew, end, 1), _come_to(*dreamed, DREAMS), _come_to(*encoded, DREAMS)


def _come_to(rew: Float[Tensor, "b t"], end: Bool[Tensor, "b t"], dreams: int) -> np.ndarray:
    """Over a way's ``dreams``: the mean sum of rewards until the end, and how often there is one."""
    before = end.cumsum(1) - end.long() == 0
    both = torch.stack([(rew * before).sum(1), end.any(1).to(rew.dtype)])
    return both.unflatten(1, (-1, dreams)).mean(-1).double().cpu().numpy()


def _choice(ways: str, outcome: str, real: Ways2, dreamed: Ways2, encoded: Ways2) -> Choice:
    means = {"real": real.mean(), "dreamed": dreamed.mean(), "encoded": encoded.mean()}
    return Choice(
        ways,
        outcome,
        pairs=int(in_order(real, real)[1].sum()),
        right=_right(dreamed, real),
        right_encoded=_right(encoded, real),
        **{name: float(mean) for name, mean in means.items()},
    )


def _right(said: Ways2, real: Ways2) -> Right:
    right, pairs = in_order(said, real)
    whole = np.ones(len(real))
    return Right(*ratio_of_shares(right, pairs, whole, whole))


def in_order(said: Ways2, real: Ways2) -> tuple[Float64[np.ndarray, "moments"], Float64[np.ndarray, "moments"]]:
    """By moment: pairs of ways that ``said`` puts in the order of ``real``, a tie being half of one; and all pairs that
    ``real`` tells apart."""
    apart = real[:, :, None] > real[:, None, :]
    order = np.sign(said[:, :, None] - said[:, None, :])
    return ((order + 1) / 2 * apart).sum((1, 2)), apart.sum((1, 2)).astype(float)
