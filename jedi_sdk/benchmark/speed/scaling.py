"""How cost grows with the number of dreams and with the batch, and where more of them stop being free."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from jedi_sdk.benchmark.speed.ceilings import Machine
from jedi_sdk.benchmark.speed.child import Child
from jedi_sdk.benchmark.speed.race import Job
from jedi_sdk.benchmark.speed.sides import our_side
from jedi_sdk.fidelity.progress import Progress, silent
from jedi_sdk.learner import PARTS
from jedi_sdk.load import build_config
from jedi_sdk.precision import choose_device, choose_precision

SCHEMA = 1
DREAMS = (1, 4, 16, 64, 256, 1024)
BATCHES = (16, 32, 64, 128, 256)
FLAT = 2.0  # a step is flat while it costs less than this many times a step of one dream
REPEATED = 1.0  # seconds in which a quick call is repeated


@dataclass(frozen=True)
class Point:
    """``part`` for ``n`` dreams or a batch of ``n``: the median of ``repeats`` calls, in seconds."""

    part: str
    n: int
    seconds: float
    repeats: int
    flops: int
    share_of_flops: float  # of what the machine was measured to do in matrix products


@dataclass(frozen=True)
class Scaling:
    """``skipped``: sizes that would have taken longer than was allowed, by part."""

    game: str
    preset: str
    space: str
    machine: Machine
    points: list[Point]
    skipped: dict[str, list[int]]

    def of(self, part: str) -> list[Point]:
        return [point for point in self.points if point.part == part]

    def flat_until(self, part: str) -> int:
        """The last size, going up, before one costs ``FLAT`` times the smallest."""
        points = self.of(part)
        return [point.n for point in takewhile(lambda point: point.seconds < FLAT * points[0].seconds, points)][-1]

    def to_dict(self) -> dict[str, Any]:
        """The documented schema: ``schema``, the fields of this class, and ``flat_until`` by part."""
        parts = dict.fromkeys(point.part for point in self.points)
        return {"schema": SCHEMA} | asdict(self) | {"flat_until": {part: self.flat_until(part) for part in parts}}


def measure_scaling(
    game: str = "breakout",
    preset: str = "atari100k",
    space: str = "latent",
    device: str = "auto",
    dtype: str = "auto",
    compiled: bool = False,
    dreams: Sequence[int] = DREAMS,
    batches: Sequence[int] = BATCHES,
    budget: float = 20.0,
    progress: Progress = silent,
) -> Scaling:
    """``budget``: a size is skipped once a call of the size before it says that it would take longer, in seconds."""
    build_config(game, preset=preset, overrides=[f"space={space}"])  # raises here what the child would
    precision = choose_precision(choose_device(device), dtype)
    lanes = {"sample": sorted(dreams)} | {name: sorted(batches) for name in PARTS}
    jobs = [Job(name, n) for name, sizes in lanes.items() for n in sizes]
    timed: dict[Job, tuple[list[float], int]] = {}
    with Child(space, our_side(game, preset, precision, compiled, f"space={space}")) as child:
        for i, job in enumerate(jobs):
            progress(i / len(jobs), f"{job.part}, {job.n}")
            if _expected(job, timed) <= budget:
                timed[job] = _time(child, job)
        machine = Machine(**child.ask("machine"))
    skipped = {name: [n for n in sizes if Job(name, n) not in timed] for name, sizes in lanes.items()}
    points = [_point(job, *found, machine) for job, found in timed.items()]
    return Scaling(game, preset, space, machine, points, skipped)


def _expected(job: Job, timed: dict[Job, tuple[list[float], int]]) -> float:
    """Seconds of a call, as if cost grew with the size from the one before; 0 for the first."""
    before = [other for other in timed if other.part == job.part]
    return statistics.median(timed[before[-1]][0]) * job.n / before[-1].n if before else 0.0


def _time(child: Child, job: Job) -> tuple[list[float], int]:
    counted = child.ask("warm_up", part=job.part, n=job.n)
    return child.ask("time", part=job.part, n=job.n, seconds=REPEATED), counted["flops"]


def _point(job: Job, seconds: list[float], flops: int, machine: Machine) -> Point:
    median = statistics.median(seconds)
    return Point(job.part, job.n, median, len(seconds), flops, flops / median / machine.flops_per_second)
