"""A contest's curves as one picture: two rows of panels for each game, a line for each variant."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from jedi_sdk.benchmark.result import Result

CEILING = 10.0  # of the ratio's axis, where an entry drifts beyond it
TICKS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 2, 5, CEILING)  # of the same axis
FLOOR = -0.5  # of the R² axis


def _first_thing(point: dict[str, Any]) -> float | None:
    found = [entry["dreamed"] for entry in point["displacement"] if entry["steps"] == 3]
    return None if not found or found[0] is None else max(FLOOR, found[0])


def _by_heart(point: dict[str, Any]) -> float | None:
    learned, other = point.get("ratio_learned", {}).get("3"), point["ratio"]["3"]
    return learned / other if learned and other else None


PANELS: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "error over repeat-last's, step 1": lambda point: point["ratio"]["1"],
    "step 3": lambda point: point["ratio"]["3"],
    "step 10": lambda point: point["ratio"]["10"],
    "step 3, frames learned from over others": _by_heart,
    "ball or player 3 steps ahead, R²": _first_thing,
    "effective rank": lambda point: point["latent"]["latent/effective_rank"],
    "repeat-last over variance": lambda point: point["latent"]["latent/repeat_last"],
}
RATIOS = 3  # of the panels, the first ones
COLUMNS = 4


def plot_contest(results: Sequence[Result], path: Path) -> None:
    """Writes a PNG. An entry that was given up ends with a cross."""
    games = sorted({result.game for result in results})
    names = sorted({result.variant for result in results})
    colors = dict(zip(names, itertools.cycle(colormaps["tab20"].colors), strict=False))  # pyright: ignore
    tall = -(-len(PANELS) // COLUMNS)
    figure = Figure(figsize=(4.5 * COLUMNS, 3.4 * tall * len(games)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(tall * len(games), COLUMNS, squeeze=False)
    for i, game in enumerate(games):
        _panels(grid[tall * i : tall * (i + 1)].flat, game, [r for r in results if r.game == game], colors)
    handles, labels = _unique(grid.flat)
    figure.legend(handles, labels, loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=100)


def _panels(axes: Iterable[Axes], game: str, results: Sequence[Result], colors: dict[str, Any]) -> None:
    for i, (panel, place) in enumerate(itertools.zip_longest(PANELS.items(), axes)):
        if panel is None:
            place.set_axis_off()
            continue
        title, value = panel
        _panel(place, f"{game}: {title}", results, value, colors)
        if i < RATIOS:
            _as_ratios(place)


def _panel(
    axes: Axes,
    title: str,
    results: Sequence[Result],
    value: Callable[[dict[str, Any]], float | None],
    colors: dict[str, Any],
) -> None:
    for result in results:
        points = [(point["updates"], value(point)) for point in result.curve]
        drawn = [(updates, y) for updates, y in points if y is not None]
        if not drawn:
            continue
        axes.plot(*zip(*drawn, strict=True), ".-", color=colors[result.variant], label=result.variant)
        if result.stopped:
            axes.plot(*drawn[-1], "x", color=colors[result.variant], markersize=9)
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel("updates")
    axes.spines[["top", "right"]].set_visible(False)


def _as_ratios(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(TICKS))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(1, color="black", linewidth=0.8, linestyle="--")
    axes.set_ylim(top=min(axes.get_ylim()[1], CEILING))


def _unique(panels: Iterable[Axes]) -> tuple[list[Any], list[str]]:
    """A game may have variants that another one has not."""
    named: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    return [named[name] for name in sorted(named)], sorted(named)
