"""Does the dream know what an action does? Several ways on from one moment of the real game, the dream beside each.

A dream may pay as often as the game does and still not tell a ball that is hit from one that is missed. Nothing is to
be learned in it then. Between two ways on from the same moment nothing differs but the actions: where the game pays one
of them more, or ends one of them, the dream must say so of the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
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
INTO = 200  # steps of play from a seed, within which the moments lie
KINDS = ("random", "its own")  # ways on: the first half, and the second
OUTCOMES = ("return", "end")

Each = Float64[np.ndarray, "moments ways"]
ByMoment = Float64[np.ndarray, "moments"]


@dataclass(frozen=True)
class Right:
    """The share of pairs put in the game's order, a tie counting half (1 is right, 0.5 chance or silence), its standard
    error over moments, and the share of ties. NaN where there are no pairs, the error also where one moment has all.
    """

    share: float
    stderr: float
    ties: float


@dataclass(frozen=True)
class Choice:
    """``pairs`` of ways on from one moment with another ``outcome`` in the game, and how many ``moments`` have some.
    ``real``, ``dreamed`` and ``encoded``: what comes of a way on average; ``encoded`` is what the heads make of the
    real frames, which are there until the real end.
    """

    ways: str
    outcome: str
    pairs: int
    moments: int
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
    precision, rng = agent.precision, Rng(seed, agent.precision.device)
    actor = Actor(agent.actor_critic, rng, agent.world_model.encode)
    envs, come = make_envs(agent.game, 2 * ways), []
    try:
        for segment in _moments(Ways(envs, actor, agent.config, precision, rng), moments, horizon, seed):
            with precision.autocast():
                come.append(outcomes(agent.world_model, segment, rng))
            report(len(come) / moments)
    finally:
        envs.close()
    return _choices(ways, *(np.stack(each) for each in zip(*come, strict=True)))


def _moments(ways: Ways, moments: int, horizon: int, seed: int) -> Iterator[Segment]:
    """``moments`` of them, each from the play of a seed of its own. No game is just over in every step."""
    into = np.random.default_rng(seed)
    tried = (ways(int(into.integers(1, INTO)), horizon, game_seed) for game_seed in count(seed))
    return islice((segment for segment in tried if segment is not None), moments)


def outcomes(world_model: WorldModel, segment: Segment, rng: Rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What comes of each row's actions behind its context: really, in dreams, and as the heads read the real frames.
    For each the sum of reward signs until the end, and how often it ends, (2, ways).

    A dream is not told of the real end. Where a real episode was cut off, the dream is cut off, too.
    """
    last = world_model.context - 1
    real = segment.mask[:, last:-1] & segment.mask[:, last + 1 :]
    rew, end = segment.rew[:, last:-1] * real, segment.end[:, last:-1] & real
    z = encode_frames(world_model, segment.obs)
    many = torch.arange(len(z), device=z.device).repeat_interleave(DREAMS)
    rew_dreamed, end_dreamed = dream_along(world_model, segment[many], z[many], rng)[1:]
    rew_encoded, end_encoded = read_along(world_model, segment[many], z[many], rng)
    uncut = _up_to(segment.trunc[:, last:-1] & real)[many]
    return (
        _come_to(rew, end, 1),
        _come_to(rew_dreamed * uncut, end_dreamed & uncut, DREAMS),
        _come_to(rew_encoded * real[many], end_encoded & real[many], DREAMS),
    )


def _up_to(over: Bool[Tensor, "b t"]) -> Bool[Tensor, "b t"]:
    """The steps up to the first that is ``over``, and that one."""
    return over.cumsum(1) - over.long() == 0


def _come_to(rew: Float[Tensor, "b t"], end: Bool[Tensor, "b t"], dreams: int) -> np.ndarray:
    """Over a way's ``dreams``: the mean sum of rewards until the end, and how often there is one."""
    both = torch.stack([(rew * _up_to(end)).sum(1), end.any(1).to(rew.dtype)])
    return both.unflatten(1, (-1, dreams)).mean(-1).double().cpu().numpy()


def _choices(ways: int, real: np.ndarray, dreamed: np.ndarray, encoded: np.ndarray) -> list[Choice]:
    """From what came of all ways, (moments, 2, 2 * ways) each."""
    found = []
    for kind, name in enumerate(KINDS):
        mine = slice(kind * ways, (kind + 1) * ways)
        for i, outcome in enumerate(OUTCOMES):
            found.append(_choice(name, outcome, *(each[:, i, mine] for each in (real, dreamed, encoded))))
    return found


def _choice(ways: str, outcome: str, real: Each, dreamed: Each, encoded: Each) -> Choice:
    pairs = in_order(real, real)[2]
    return Choice(
        ways,
        outcome,
        pairs=int(pairs.sum()),
        moments=int((pairs > 0).sum()),
        right=_right(dreamed, real),
        right_encoded=_right(encoded, real),
        real=float(real.mean()),
        dreamed=float(dreamed.mean()),
        encoded=float(encoded.mean()),
    )


def _right(said: Each, real: Each) -> Right:
    right, tied, pairs = in_order(said, real)
    whole = np.ones(len(real))
    return Right(*ratio_of_shares(right, pairs, whole, whole), ties=ratio_of_shares(tied, pairs, whole, whole)[0])


def in_order(said: Each, real: Each) -> tuple[ByMoment, ByMoment, ByMoment]:
    """By moment, of the pairs of ways that ``real`` tells apart: how many ``said`` puts in the same order, a tie being
    half of one; how many are ties; and how many there are.
    """
    apart = real[:, :, None] > real[:, None, :]
    order = np.sign(said[:, :, None] - said[:, None, :])
    right, tied = (order + 1) / 2 * apart, (order == 0) & apart
    return right.sum((1, 2)), tied.sum((1, 2), dtype=float), apart.sum((1, 2), dtype=float)
