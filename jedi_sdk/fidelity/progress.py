"""How far a measurement is: a callback for the share done, from 0 to 1, and what is being done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]


def silent(done: float, what: str) -> None:
    """Tells nobody."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """The progress of a part that takes the whole from ``start`` to ``stop``."""
    return lambda done, what: progress(start + (stop - start) * done, what)
