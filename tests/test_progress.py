"""What is seen while something goes on."""

from __future__ import annotations

import io

from rich.console import Console

from jedi_sdk.progress import RunProgress


def test_eighty_columns_show_the_time_left() -> None:
    progress = RunProgress(123_456)
    for updates in (1_000, 2_000):
        progress.show("epoch 12/105 actor_critic", updates, {})
    seen = io.StringIO()
    Console(file=seen, width=80, force_terminal=True, color_system=None).print(progress.bar)
    (line,) = seen.getvalue().splitlines()
    assert "2000/123456" in line
    assert "/s, " in line
    assert line.rstrip().endswith("left")
    assert "…" not in line


def test_names_are_no_markup(capsys) -> None:
    RunProgress(1).line("run folder runs/x[/b] and runs/c[red]")
    assert "runs/x[/b] and runs/c[red]" in capsys.readouterr().err
