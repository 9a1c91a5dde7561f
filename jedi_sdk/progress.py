"""What one watches while something goes on; while a run does: returns, losses, updates a second, the time left.

rich is imported where a bar is drawn: whoever loads an agent to act with it does not wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

SMOOTHING = 0.9


class Report(Protocol):
    """How much is done by now, and what is being done (None: still the same)."""

    def __call__(self, done: float, what: str | None = None) -> None: ...


@contextmanager
def progress_bar(what: str, total: float = 1.0, enabled: bool = True) -> Iterator[Report]:
    """A bar for as long as the block lasts, moved by the ``Report`` it gives."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not enabled, transient=True) as bar:
        task = bar.add_task(escape(what), total=total)

        def report(done: float, what: str | None = None) -> None:
            bar.update(task, completed=done, description=what and escape(what))

        yield report


class RunProgress:
    """Two live lines on a terminal (the bar, the news); one line an epoch where there is none."""

    def __init__(self, total_updates: int, enabled: bool = True) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        self.console = Console(quiet=not enabled, stderr=True)
        self.bar = _run_bar()
        self.task = self.bar.add_task("starting", total=total_updates, rate=0.0)
        self.news = Text()
        live = enabled and self.console.is_terminal
        self.live = Live(Group(self.bar, self.news), console=self.console, refresh_per_second=4) if live else None
        self.rate, self.last = 0.0, (time.monotonic(), 0)

    def __enter__(self) -> RunProgress:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def show(self, phase: str, updates: int, news: dict[str, float]) -> None:
        """``updates`` done so far, of all kinds."""
        now, (then, before) = time.monotonic(), self.last
        if before and updates > before and now > then:
            rate = (updates - before) / (now - then)
            self.rate = rate if self.rate == 0 else SMOOTHING * self.rate + (1 - SMOOTHING) * rate
        self.last = (now, updates)
        self.news.plain = "  ".join(
            f"{name} {value:.3g}" if abs(value) < 1_000 else f"{name} {value:,.0f}" for name, value in news.items()
        )
        self.bar.update(self.task, completed=updates, description=phase, rate=self.rate)

    def line(self, text: str) -> None:
        """Something worth keeping: stays above the bar."""
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)


def _run_bar() -> Progress:
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description:<24}", style="bold", markup=False),
        progress.BarColumn(bar_width=None),  # what the line leaves: 80 columns show the time left
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]:.1f}/s,"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left"),
        expand=True,
    )
