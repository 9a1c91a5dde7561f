"""How many denoiser calls a dream step needs: fidelity against speed, sampler by sampler, on the same real contexts."""

from __future__ import annotations

import functools
import operator
import time
from collections.abc import Sequence
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
from jedi_sdk.fidelity.report import ENDS, REWARDS, finite
from jedi_sdk.fidelity.subject import Player, Subject
from jedi_sdk.progress import Report
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment

SAMPLERS = (("euler", 1), ("euler", 2), ("euler", 3), ("euler", 5), ("heun", 2), ("heun", 3))
REPEATS = 9  # timed steps a sampler, taken in turn with the other samplers'


@dataclass(frozen=True)
class Row:
    """One sampler. ``seconds``: median of a world-model step for ``HeldOut``'s batch; ``refused``: why it has no
    figures."""

    method: str
    steps: int
    seconds: float = float("nan")
    loop: OpenLoop | None = None
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        figures = {} if self.loop is None else _figures(self.loop)
        return {"method": self.method, "steps": self.steps, "seconds": self.seconds, "refused": self.refused, **figures}


def measure_sampling(agent: JEDI, contexts: int, horizon: int, seed: int, report: Report) -> list[Row]:
    """Dreams along recorded play from ``contexts`` held-out moments, once with each of ``SAMPLERS``."""
    rng = Rng(seed + HELD_OUT, agent.precision.device)
    policy = Actor(agent.actor_critic, rng, agent.world_model.encode, epsilon=agent.config.env.epsilon)
    player = Player(agent.game, policy, agent.config, agent.precision, seed + HELD_OUT)
    held_out = play_held_out(player, contexts, horizon, part(report, 0.0, 0.3))
    rows = [_row(agent, method, steps, held_out, seed) for method, steps in _told(SAMPLERS, report)]
    seconds = _time_steps(agent, [row for row in rows if row.loop], held_out)
    return [replace(row, seconds=seconds.get((row.method, row.steps), row.seconds)) for row in rows]


def _told(samplers: Sequence[tuple[str, int]], report: Report):
    for i, (method, steps) in enumerate(samplers):
        report(0.3 + 0.7 * i / len(samplers), f"{method}, {steps} steps")
        yield method, steps


def _row(agent: JEDI, method: str, steps: int, held_out: HeldOut, seed: int) -> Row:
    try:
        sampler = _sampler(agent, method, steps)
    except ConfigError as error:
        return Row(method, steps, refused=str(error))
    subject = Subject(agent.world_model, agent.precision, Rng(seed + HELD_OUT, agent.precision.device))
    return Row(method, steps, loop=_dream(subject, held_out, sampler))


def _sampler(agent: JEDI, method: str, steps: int) -> SamplerConfig:
    return changed_sampler(agent.world_model, agent.world_model.sampler, {"method": method, "steps": steps})


def _dream(subject: Subject, held_out: HeldOut, sampler: SamplerConfig) -> OpenLoop:
    loops = []
    for recorded in held_out.batches():
        with subject.precision.autocast():
            segment = recorded.to(subject.precision.device)
            loops.append(open_loop(subject.world_model, segment, subject.rng, sampler))
    return functools.reduce(operator.add, loops)


def _time_steps(agent: JEDI, rows: list[Row], held_out: HeldOut) -> dict[tuple[str, int], float]:
    """In turn, so that what the machine does beside it slows all of them alike."""
    segment = next(held_out.batches()).to(agent.precision.device)
    seconds: dict[tuple[str, int], list[float]] = {(row.method, row.steps): [] for row in rows}
    for _ in range(REPEATS):
        for method, steps in seconds:
            seconds[method, steps].append(_one_step(agent, segment, _sampler(agent, method, steps)))
    return {key: sorted(values)[len(values) // 2] for key, values in seconds.items()}


def _one_step(agent: JEDI, segment: Segment, sampler: SamplerConfig) -> float:
    model, rng = agent.world_model, Rng(0, agent.precision.device)
    with agent.precision.autocast():
        state = model.start(segment[:, : model.context])
        wait_for(agent.precision.device)
        start = time.perf_counter()
        model.step(state, segment.act[:, model.context - 1], rng, sampler)
        wait_for(agent.precision.device)
    return time.perf_counter() - start


def _figures(loop: OpenLoop) -> dict[str, Any]:
    """By dreamed step: error over repeat-last's, motion over the real; rewards and ends dreamed and real."""
    by_step = {name: getattr(loop, name).tolist() for name in ("ratio", "liveliness", "size")}
    return finite({**by_step, "reward": loop.rew.to_dict(REWARDS), "termination": loop.end.to_dict(ENDS)})
