"""A speed benchmark as two tables, for a terminal and as Markdown: who takes how long, what the machine does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table

from jedi_sdk.benchmark.speed.result import DIAMOND, DIAMOND_BAR, Figure, Row, Speed
from jedi_sdk.benchmark.speed.units import amount, factor, percent, spread

NONE = "–"


@dataclass(frozen=True)
class Sheet:
    title: str
    head: list[str]
    lines: list[list[str]]

    def rich(self) -> Table:
        table = Table(title=self.title, title_justify="left", title_style="bold")
        for i, name in enumerate(self.head):
            table.add_column(name, justify="right" if i else "left")
        for line in self.lines:
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.lines]
        return f"{self.title}:\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def speed_table(speed: Speed) -> RenderableType:
    return Group(_race(speed).rich(), _work(speed).rich(), describe(speed))


def speed_markdown(speed: Speed) -> str:
    return "\n".join([_race(speed).markdown(), _work(speed).markdown(), describe(speed)]) + "\n"


def describe(speed: Speed) -> str:
    """What was measured on, and with."""
    machine = speed.machine
    environment = " ".join(f"{name}={value}" for name, value in speed.environment.items())
    return (
        f"{machine.device_name}, {machine.dtype}, {machine.threads} threads, torch {machine.torch}, "
        f"{'compiled' if speed.compiled else 'not compiled'}, batches of {speed.batch_size}, horizon {speed.horizon}, "
        f"{environment}. Ceilings measured in the same run: matrix products "
        f"{amount(machine.flops_per_second, 'FLOP/s')}, copies {amount(machine.bytes_per_second, 'B/s')}."
    )


def _race(speed: Speed) -> Sheet:
    sides = list(speed.parameters)
    diamond = ["pixel / DIAMOND"] if DIAMOND in sides else []
    lines = [
        [
            row.title,
            *(_figure(row.figures[side], row.unit) for side in sides),
            _ratio(row.ratio, row.unit),
            _paper(row),
            _bar(row),
            *([_over_diamond(row)] if diamond else []),
        ]
        for row in speed.rows
    ]
    parameters = ["parameters", *(f"{speed.parameters[side]:,}" for side in sides), *[NONE] * (3 + len(diamond))]
    head = ["median (least to most), calls", *sides, "ratio", "paper", "bar", *diamond]
    return Sheet(f"{speed.game}, {speed.preset}", head, [*lines, parameters])


def _work(speed: Speed) -> Sheet:
    sides = list(speed.parameters)
    head = ["", *(f"{what}, {side}" for what in ("work", "of matrix ceiling", "of copy ceiling") for side in sides)]
    return Sheet("How hard the machine works", head, list(_work_lines(speed, sides)))


def _work_lines(speed: Speed, sides: list[str]) -> Iterator[list[str]]:
    for row in speed.rows:
        figures = [row.figures[side] for side in sides]
        if all(figure.flops is not None for figure in figures):
            flops = [amount(figure.flops or 0, "FLOP") for figure in figures]
            matrix = [percent(figure.share_of_flops or 0.0) for figure in figures]
            yield [row.title, *flops, *matrix, *(percent(figure.share_of_bytes or 0.0) for figure in figures)]


def _figure(figure: Figure, unit: str) -> str:
    shown = "" if unit == "1/s" else unit  # the row's title says it
    if figure.extrapolated:
        return f"{amount(figure.median, shown)}, extrapolated"
    if unit == "B":
        return amount(figure.median, shown)
    if figure.repeats == 1:
        return f"{amount(figure.median, shown)}, 1"
    return f"{spread(figure.median, figure.low, figure.high, shown)}, {figure.repeats}"


def _ratio(ratio: float | None, unit: str) -> str:
    if ratio is None:
        return NONE
    return percent(ratio) if unit == "B" else factor(ratio)


def _paper(row: Row) -> str:
    more = "> " if row.name.startswith("sample") else ""
    return NONE if row.paper is None else more + _ratio(row.paper, row.unit)


def _bar(row: Row) -> str:
    if row.bar is None:
        return NONE
    return f"{'≤' if row.unit == 'B' else '≥'} {_ratio(row.bar, row.unit)}, {'met' if row.met else 'missed'}"


def _over_diamond(row: Row) -> str:
    if row.over_diamond is None:
        return NONE
    return f"{row.over_diamond:.2f}{'' if row.over_diamond <= DIAMOND_BAR else ', missed'}"
