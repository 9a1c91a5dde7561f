"""A scaling measurement as a picture: what a call costs, and what one dream or one segment of it costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from jedi_sdk.benchmark.speed.result import TITLES
from jedi_sdk.benchmark.speed.scaling import Point, Scaling
from jedi_sdk.learner import PARTS

MILLI = 1e3


def plot_scaling(scaling: Scaling, path: Path) -> None:
    """Writes a PNG: dream steps to the left, updates to the right; whole above, per dream or segment below."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    whole, each = figure.subplots(2, 2, sharex="col")
    for column, (parts, label) in enumerate(((("sample",), "dreams"), (PARTS, "segments in a batch"))):
        for part in parts:
            _line(whole[column], scaling, part, lambda point: MILLI * point.seconds)
            _line(each[column], scaling, part, lambda point: MILLI * point.seconds / point.n)
        each[column].set_xlabel(label)
        for axes in (whole[column], each[column]):
            _plain_numbers(axes, sorted({point.n for part in parts for point in scaling.of(part)}))
    whole[0].set_ylabel("milliseconds")
    each[0].set_ylabel("milliseconds for each")
    machine = scaling.machine
    figure.suptitle(f"{scaling.game}, {scaling.preset}, {scaling.space}: {machine.device_name}, {machine.dtype}")
    figure.savefig(path, dpi=100, format="png")


def _line(axes: Axes, scaling: Scaling, part: str, value: Callable[[Point], float]) -> None:
    points = scaling.of(part)
    axes.loglog([point.n for point in points], [value(point) for point in points], ".-", label=TITLES[part])
    axes.legend(fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)


def _plain_numbers(axes: Axes, measured: list[int]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(measured))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
