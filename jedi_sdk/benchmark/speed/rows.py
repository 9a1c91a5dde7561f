"""From what two races found to the rows of the table: what was timed, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jedi_sdk.benchmark.speed.ceilings import Machine
from jedi_sdk.benchmark.speed.count import Count
from jedi_sdk.benchmark.speed.race import Job, Race
from jedi_sdk.benchmark.speed.result import TITLES, Figure, Row, make_row, summarize
from jedi_sdk.config import Config, Work
from jedi_sdk.schedule import total_work

HOUR = 3600.0


@dataclass(frozen=True)
class Sampling:
    race: Race
    memory: dict[str, int]
    parameters: dict[str, int]
    machine: Machine


@dataclass(frozen=True)
class Training:
    """``epochs``: seconds of one, for those sides where it is short enough to be measured."""

    race: Race
    memory: dict[str, int]
    epochs: dict[str, float]


def updates_take(race: Race, side: str, work: Work) -> float:
    """Seconds for the updates of ``work``, one after the other, by their medians."""
    return sum(getattr(work, job.part) * summarize(race.seconds(side, job)).median for job in race.jobs)


class Rows:
    def __init__(self, config: Config, sampling: Sampling, training: Training) -> None:
        self.config, self.sampling, self.training = config, sampling, training
        self.machine, self.sides = sampling.machine, list(sampling.race.children)

    def all(self) -> list[Row]:
        """Top to bottom."""
        dreams, updates = self.sampling.race.jobs, self.training.race.jobs
        peak = f"peak memory, sampling up to N = {max(job.n for job in dreams)}"
        return [
            *(self._timed(self.sampling.race, job, job.name, f"sampling, N = {job.n}") for job in dreams),
            *(self._timed(self.training.race, job, job.part, TITLES[job.part]) for job in updates),
            self._row("combined", "combined update", "s", self._combined),
            self._row("rate", "combined updates a second", "1/s", self._rate),
            self._row("epoch", "updates of an epoch", "s", self._epoch),
            self._row("run", "updates of a whole run", "h", self._run),
            self._row("memory sampling", peak, "B", lambda side: _single(self.sampling.memory[side])),
            self._row(
                "memory training", "peak memory, training", "B", lambda side: _single(self.training.memory[side])
            ),
        ]

    def _timed(self, race: Race, job: Job, name: str, title: str) -> Row:
        def figure(side: str) -> Figure:
            return self._with_work(summarize(race.seconds(side, job)), race.counts[side, job])

        return self._row(name, title, "s", figure)

    def _row(self, name: str, title: str, unit: str, figure: Callable[[str], Figure]) -> Row:
        figures = {side: figure(side) for side in self.sides}
        return make_row(name, title, unit, figures, self.machine.device, self.config.preset)

    def _combined(self, side: str) -> Figure:
        """One update of each kind in turn, measured in the rounds in which all three were."""
        race = self.training.race
        counts = [race.counts[side, job] for job in race.jobs]
        together = Count(sum(count.flops for count in counts), sum(count.bytes for count in counts))
        return self._with_work(summarize(race.sums(side)), together)

    def _rate(self, side: str) -> Figure:
        each = self._combined(side)
        return Figure(1 / each.median, 1 / each.high, 1 / each.low, each.repeats)

    def _epoch(self, side: str) -> Figure:
        if side in self.training.epochs:
            return _single(self.training.epochs[side])
        return _extrapolated(updates_take(self.training.race, side, self.config.schedule.epoch))

    def _run(self, side: str) -> Figure:
        return _extrapolated(updates_take(self.training.race, side, total_work(self.config.schedule)) / HOUR)

    def _with_work(self, figure: Figure, count: Count) -> Figure:
        return replace(
            figure,
            flops=count.flops,
            bytes=count.bytes,
            share_of_flops=count.flops / figure.median / self.machine.flops_per_second,
            share_of_bytes=count.bytes / figure.median / self.machine.bytes_per_second,
        )


def _single(value: float) -> Figure:
    return Figure(value, value, value)


def _extrapolated(value: float) -> Figure:
    return Figure(value, value, value, repeats=0, extrapolated=True)
