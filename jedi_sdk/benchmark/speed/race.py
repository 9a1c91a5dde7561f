"""Sides beside each other: each round does every job on every side, so that all share good and bad times."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jedi_sdk.benchmark.speed.child import Child
from jedi_sdk.benchmark.speed.count import Count
from jedi_sdk.fidelity.progress import Progress

SLICE = 0.5  # seconds of a round in which a quick call is repeated


@dataclass(frozen=True)
class Job:
    """``part`` once, for ``n`` dreams or a batch of ``n``."""

    part: str
    n: int

    @property
    def name(self) -> str:
        return f"{self.part} {self.n}"


class Race:
    """``rounds[side, job]``: the calls' seconds, round by round; ``counts`` likewise, of one call."""

    def __init__(self, children: Mapping[str, Child], jobs: Sequence[Job], repeats: int, budget: float) -> None:
        self.children, self.jobs, self.repeats, self.budget = children, jobs, repeats, budget
        self.rounds: dict[tuple[str, Job], list[list[float]]] = defaultdict(list)
        self.counts: dict[tuple[str, Job], Count] = {}

    def run(self, progress: Progress) -> None:
        """A warm-up and at least one round; of slow jobs no more than fit into ``budget`` seconds."""
        lanes = [(side, job) for job in self.jobs for side in self.children]
        total = len(lanes) * (1 + self.repeats)
        for turn in range(1 + self.repeats):
            for i, (side, job) in enumerate(lanes):
                progress((turn * len(lanes) + i) / total, f"{side}: {job.name}, {_ordinal(turn, self.repeats)}")
                if turn == 0:
                    self.counts[side, job] = Count(**self.children[side].ask("warm_up", part=job.part, n=job.n))
                elif self._may_go_on(side, job):
                    self.rounds[side, job].append(self._time(side, job))

    def seconds(self, side: str, job: Job) -> list[float]:
        return [second for calls in self.rounds[side, job] for second in calls]

    def sums(self, side: str) -> list[float]:
        """All jobs one after the other, for each round in which all of them took part."""
        each = [[statistics.median(calls) for calls in self.rounds[side, job]] for job in self.jobs]
        return [sum(together) for together in zip(*each, strict=False)]

    def _may_go_on(self, side: str, job: Job) -> bool:
        spent = sum(self.seconds(side, job))
        return not spent or spent + self.rounds[side, job][-1][-1] <= self.budget

    def _time(self, side: str, job: Job) -> list[float]:
        share = min(SLICE, self.budget / self.repeats)
        return self.children[side].ask("time", part=job.part, n=job.n, seconds=share)


def _ordinal(turn: int, repeats: int) -> str:
    return f"round {turn} of {repeats}" if turn else "warm-up"
