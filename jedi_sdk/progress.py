"""What one watches while a run goes on: a bar with returns, losses, updates a second and the time left."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SMOOTHING = 0.9


class RunProgress:
    """A live bar on a terminal; one line an epoch where there is none."""

    def __init__(self, total_updates: int, enabled: bool = True) -> None:
        self.console = Console(quiet=not enabled, stderr=True)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("\n  {task.fields[news]}"),
            console=self.console,
            disable=not (enabled and self.console.is_terminal),
        )
        self.task = self.bar.add_task("starting", total=total_updates, rate="", news="")
        self.rate, self.last = 0.0, (time.monotonic(), 0)

    def __enter__(self) -> RunProgress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def show(self, phase: str, updates: int, news: dict[str, float]) -> None:
        """``updates`` done so far, of all kinds."""
        now, (then, before) = time.monotonic(), self.last
        if updates > before and now > then:
            rate = (updates - before) / (now - then)
            self.rate = rate if self.rate == 0 else SMOOTHING * self.rate + (1 - SMOOTHING) * rate
        self.last = (now, updates)
        text = "  ".join(f"{name} {value:.3g}" for name, value in news.items())
        rate = f"{self.rate:.1f} updates/s" if self.rate else ""
        self.bar.update(self.task, completed=updates, description=phase, rate=rate, news=text)

    def line(self, text: str) -> None:
        """Something worth keeping: stays above the bar."""
        self.bar.console.print(text, highlight=False, soft_wrap=True)
