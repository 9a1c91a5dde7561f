"""A contest's last points as tables: for a terminal and, the same, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from jedi_sdk.benchmark.result import Result
from jedi_sdk.fidelity.positions import THINGS

Column = tuple[str, Callable[[dict[str, Any]], str]]
NAMES = ("game", "variant", "seed", "updates")
UNKNOWN = "–"


def contest_table(results: Sequence[Result]) -> RenderableType:
    return Group(*(_table(title, columns, results) for title, columns in _told(results)))


def contest_markdown(results: Sequence[Result]) -> str:
    return "\n".join(_markdown(title, columns, results) for title, columns in _told(results))


def _told(results: Sequence[Result]) -> Iterable[tuple[str, Sequence[Column]]]:
    """The tables, without what none of ``results`` knows: a game has its own things that move, or none."""
    for title, columns in TABLES.items():
        known = [column for column in columns if any(column[1](result.last) != UNKNOWN for result in results)]
        if known:
            yield title, known


def _table(title: str, columns: Sequence[Column], results: Sequence[Result]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate((*NAMES, *(name for name, _ in columns))):
        table.add_column(name, justify="left" if i < 2 else "right", overflow="fold")  # a name cut short is another's
    for row in _rows(columns, results):
        table.add_row(*row)
    return table


def _markdown(title: str, columns: Sequence[Column], results: Sequence[Result]) -> str:
    head = [*NAMES, *(name for name, _ in columns)]
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *_rows(columns, results)]
    return f"{title}:\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _rows(columns: Sequence[Column], results: Sequence[Result]) -> Iterable[list[str]]:
    for result in results:
        updates = f"{result.last['updates']:,}{' (stopped)' if result.stopped else ''}"
        figures = [figure(result.last) for _, figure in columns]
        game = f"{result.game}, played by {result.played_by}" if result.played_by else result.game
        yield [game, result.variant, str(result.seed), updates, *figures]


def _by_step(name: str, step: int) -> Callable[[dict[str, Any]], str]:
    return lambda point: _figure(point[name][str(step)])


def _learned(point: dict[str, Any]) -> str:
    return _figure(point["ratio_learned"]["3"]) if "ratio_learned" in point else UNKNOWN


def _latent(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda point: _figure(point["latent"][f"latent/{name}"])


def _displacement(thing: str) -> Callable[[dict[str, Any]], str]:
    def figure(point: dict[str, Any]) -> str:
        for entry in point["displacement"]:
            if (entry["thing"], entry["steps"]) == (thing, 3):
                return f"{_figure(entry['dreamed'])} ({_figure(entry['encoded'])})"
        return UNKNOWN

    return figure


def _off_frames(name: str, rare: tuple[str, ...]) -> Callable[[dict[str, Any]], str]:
    def figure(point: dict[str, Any]) -> str:
        if "frequency_encoded" not in point[name]:
            return UNKNOWN
        share = sum(point[name]["frequency_encoded"][c] or 0.0 for c in rare)
        return f"{_figure(point[name]['balanced_accuracy_encoded'])}, {share:.2%}"

    return figure


def _accuracy(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda point: f"{_figure(point[name]['balanced_accuracy'])} ({_figure(point[name]['trivial'])})"


def _frequency(name: str, rare: tuple[str, ...]) -> Callable[[dict[str, Any]], str]:
    def figure(point: dict[str, Any]) -> str:
        shares = [sum(point[name][f"frequency_{which}"][c] or 0.0 for c in rare) for which in ("dreamed", "real")]
        return " / ".join(f"{share:.2%}" for share in shares)

    return figure


def _figure(x: float | None) -> str:
    if x is None:
        return UNKNOWN
    return f"{x:.2f}" if abs(x) < 10 else f"{x:.3g}"


TABLES: dict[str, Sequence[Column]] = {
    "Error of the dream over repeat-last's, by dreamed step": [
        *((str(step), _by_step("ratio", step)) for step in (1, 3, 10, 15, 50)),
        ("3, from frames learned", _learned),
    ],
    "Displacement over 3 dreamed steps, R² (from encoded)": [(thing, _displacement(thing)) for thing in THINGS],
    "Rewards: balanced accuracy (trivial), how often dreamed / really; both off real frames": (
        ("accuracy", _accuracy("reward")),
        ("how often", _frequency("reward", ("-1", "1"))),
        ("off real frames", _off_frames("reward", ("-1", "1"))),
    ),
    "Ends: the same": (
        ("accuracy", _accuracy("termination")),
        ("how often", _frequency("termination", ("ends",))),
        ("off real frames", _off_frames("termination", ("ends",))),
    ),
    "Latents; spread (size) and motion of the dream at step 50 over the real": (
        ("std", _latent("std_data")),
        ("rank", _latent("effective_rank")),
        ("repeat-last / variance", _latent("repeat_last")),
        ("size", _by_step("size", 50)),
        ("motion", _by_step("liveliness", 50)),
    ),
}
