"""What a speed benchmark found: figures by row and side, ratios, and what they are held against. The JSON's schema."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jedi_sdk.benchmark.speed.ceilings import Machine

SCHEMA = 1
OURS, PIXEL, DIAMOND = "ours", "pixel", "diamond"
TITLES = {
    "sample": "sampling",
    "denoiser": "denoiser update",
    "heads": "heads update",
    "actor_critic": "actor-critic update",
}
JUDGED = "atari100k"  # the preset whose sizes the paper's figures and the bars are for

# sampling and updates: times as fast as pixel diffusion; memory: its share. The paper names no N.
PAPER = {"sample 32": 3.0, "combined": 2.5, "memory training": 0.57}
BARS = {
    "cpu": {"sample 1": 4.0, "sample 32": 15.0, "combined": 10.0, "memory training": 0.4},
    "cuda": {"sample 1": 4.0, "sample 32": 8.0, "combined": 5.0, "memory training": 0.4},
}
DIAMOND_BAR = 1.05  # our pixel baseline over DIAMOND itself, at most


@dataclass(frozen=True)
class Figure:
    """One side's figure in a row, in the row's unit. ``repeats`` calls were timed; 0: computed from other rows.

    ``flops`` and ``bytes`` are those of one call (None where nothing was counted); the shares are of the machine's
    measured ceilings. ``bytes`` ignore caches, so that their share may exceed 1.
    """

    median: float
    low: float
    high: float
    repeats: int = 1
    extrapolated: bool = False
    flops: int | None = None
    bytes: int | None = None
    share_of_flops: float | None = None
    share_of_bytes: float | None = None


@dataclass(frozen=True)
class Row:
    """``unit``: s, B, 1/s or h. ``ratio``: pixel over ours for seconds and hours, ours over pixel for the others."""

    name: str
    title: str
    unit: str
    figures: dict[str, Figure]
    ratio: float | None
    paper: float | None
    bar: float | None
    over_diamond: float | None  # our pixel baseline over DIAMOND itself; None for rates, and for other sizes than its

    @property
    def met(self) -> bool | None:
        if self.bar is None or self.ratio is None:
            return None
        return self.ratio <= self.bar if self.unit == "B" else self.ratio >= self.bar


@dataclass(frozen=True)
class Speed:
    """``parameters`` by side. ``environment``: what every process was told before it started."""

    game: str
    preset: str
    batch_size: int
    horizon: int
    compiled: bool
    environment: dict[str, str]
    machine: Machine
    parameters: dict[str, int]
    rows: list[Row]

    def to_dict(self) -> dict[str, Any]:
        """The documented schema: ``schema`` and the fields of this class, rows with ``met``."""
        rows = [asdict(row) | {"met": row.met} for row in self.rows]
        return {"schema": SCHEMA} | asdict(self) | {"rows": rows}


def summarize(seconds: Sequence[float]) -> Figure:
    return Figure(statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def make_row(name: str, title: str, unit: str, figures: dict[str, Figure], device: str, preset: str) -> Row:
    """A row with its ratios, and what they are held against where ``preset`` is the one they are for."""
    judged = preset == JUDGED
    return Row(
        name=name,
        title=title,
        unit=unit,
        figures=figures,
        ratio=_ratio(figures, PIXEL, OURS) if unit in ("s", "h") else _ratio(figures, OURS, PIXEL),
        paper=PAPER.get(name) if judged else None,
        bar=BARS.get(device, BARS["cpu"]).get(name) if judged else None,
        over_diamond=_ratio(figures, PIXEL, DIAMOND) if judged and unit != "1/s" else None,
    )


def _ratio(figures: Mapping[str, Figure], above: str, below: str) -> float | None:
    if above not in figures or below not in figures:
        return None
    return figures[above].median / figures[below].median
