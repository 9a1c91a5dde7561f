"""How many denoiser calls a dream step needs, and of what precision: fidelity against speed, sampler by sampler, on the
same real contexts.
"""

from __future__ import annotations

import functools
import itertools
import operator
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jedi_sdk.actor_critic import Actor
from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.speed.clock import wait_for
from jedi_sdk.config import ConfigError, SamplerConfig
from jedi_sdk.dream.arguments import changed_sampler
from jedi_sdk.fidelity import OpenLoop, open_loop
from jedi_sdk.fidelity.held_out import HeldOut, play_held_out
from jedi_sdk.fidelity.measure import HELD_OUT
from jedi_sdk.fidelity.progress import part
from jedi_sdk.fidelity.report import finite, rewards_and_ends
from jedi_sdk.fidelity.subject import Player, Subject
from jedi_sdk.precision import Precision, choose_precision
from jedi_sdk.progress import Report
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel

SAMPLERS = (("euler", 1), ("euler", 2), ("euler", 3), ("euler", 5), ("heun", 2), ("heun", 3))
REPEATS = 9  # timed steps a sampler, taken in turn with the other samplers'


@dataclass(frozen=True)
class Row:
    """One sampler in one dtype. ``seconds``: median of a world-model step for ``HeldOut``'s batch; ``refused``: why it
    has no figures.
    """

    method: str
    steps: int
    dtype: str
    seconds: float = float("nan")
    loop: OpenLoop | None = None
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        figures = {} if self.loop is None else _figures(self.loop)
        told = {name: getattr(self, name) for name in ("method", "steps", "dtype", "seconds", "refused")}
        return {**told, **figures}


def measure_sampling(
    agent: JEDI, contexts: int, horizon: int, seed: int, report: Report, dtypes: Sequence[str] = ()
) -> list[Row]:
    """Dreams along recorded play from ``contexts`` held-out moments, once with each of ``SAMPLERS`` in each of
    ``dtypes`` (the agent's own where none is named). The play is the agent's, in its own dtype.
    """
    device = agent.precision.device
    ways = [choose_precision(device, dtype) for dtype in dtypes] or [agent.precision]
    rng = Rng(seed + HELD_OUT, agent.precision.device)
    policy = Actor(agent.actor_critic, rng, agent.world_model.encode, epsilon=agent.config.env.epsilon)
    player = Player(agent.game, policy, agent.config, agent.precision, seed + HELD_OUT)
    held_out = play_held_out(player, contexts, horizon, part(report, 0.0, 0.3))
    rows = [_row(agent, way, method, steps, held_out, seed) for way, (method, steps) in _told(ways, report)]
    return _timed(agent, rows, {way.name: way for way in ways}, held_out)


def _told(ways: Sequence[Precision], report: Report) -> Iterator[tuple[Precision, tuple[str, int]]]:
    every = list(itertools.product(ways, SAMPLERS))
    for i, (way, (method, steps)) in enumerate(every):
        report(0.3 + 0.7 * i / len(every), f"{method}, {steps} steps, {way.name}")
        yield way, (method, steps)


def _row(agent: JEDI, way: Precision, method: str, steps: int, held_out: HeldOut, seed: int) -> Row:
    try:
        sampler = _sampler(agent, method, steps)
    except ConfigError as error:
        return Row(method, steps, way.name, refused=str(error))
    subject = Subject(agent.world_model, way, Rng(seed + HELD_OUT, way.device))
    return Row(method, steps, way.name, loop=_dream(subject, held_out, sampler))


def _sampler(agent: JEDI, method: str, steps: int) -> SamplerConfig:
    return changed_sampler(agent.world_model, agent.world_model.sampler, {"method": method, "steps": steps})


def _dream(subject: Subject, held_out: HeldOut, sampler: SamplerConfig) -> OpenLoop:
    loops = []
    for recorded in held_out.batches():
        with subject.precision.autocast():
            segment = recorded.to(subject.precision.device)
            loops.append(open_loop(subject.world_model, segment, subject.rng, sampler))
    return functools.reduce(operator.add, loops)


def _timed(agent: JEDI, rows: list[Row], ways: dict[str, Precision], held_out: HeldOut) -> list[Row]:
    """In turn, so that what the machine does beside it slows all of them alike."""
    segment = next(held_out.batches()).to(agent.precision.device)
    seconds: dict[int, list[float]] = {i: [] for i, row in enumerate(rows) if row.loop}
    for _ in range(REPEATS):
        for i, times in seconds.items():
            sampler = _sampler(agent, rows[i].method, rows[i].steps)
            times.append(_one_step(agent.world_model, ways[rows[i].dtype], segment, sampler))
    medians = {i: sorted(times)[len(times) // 2] for i, times in seconds.items()}
    return [replace(row, seconds=medians.get(i, row.seconds)) for i, row in enumerate(rows)]


def _one_step(model: WorldModel, way: Precision, segment: Segment, sampler: SamplerConfig) -> float:
    rng = Rng(0, way.device)
    with way.autocast():
        state = model.start(segment[:, : model.context])
        wait_for(way.device)
        start = time.perf_counter()
        model.step(state, segment.act[:, model.context - 1], rng, sampler)
        wait_for(way.device)
    return time.perf_counter() - start


def _figures(loop: OpenLoop) -> dict[str, Any]:
    """By dreamed step: error over repeat-last's, motion over the real; rewards and ends dreamed and real."""
    by_step = {name: getattr(loop, name).tolist() for name in ("ratio", "liveliness", "size")}
    return finite({**by_step, **rewards_and_ends(loop)})
