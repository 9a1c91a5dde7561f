"""``jedi dream`` and ``jedi probe``: what an agent imagines, as pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from jedi_cli.errors import CommandError
from jedi_cli.options import Device, Run, Seed, writable

Episodes = Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Dreams to film.")]
Horizon = Annotated[int, typer.Option(metavar="N", min=1, help="Steps a dream may take.")]
Out = Annotated[Path, typer.Option(metavar="FILE.mp4", help="Where the film goes.", callback=writable)]
SideBySide = Annotated[
    bool,
    typer.Option(
        "--side-by-side", help="Dream along recorded actions, beside what really happened, with the error below."
    ),
]
Frames = Annotated[int, typer.Option(metavar="N", min=32, help="Real steps played for it.")]
Updates = Annotated[int, typer.Option(metavar="N", min=1, help="Steps of the probe's training.")]


def dream(
    run: Run,
    episodes: Episodes = 4,
    horizon: Horizon = 50,
    side_by_side: SideBySide = False,
    out: Out = Path("dream.mp4"),
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Films what an agent dreams.

    [bold]Examples[/]
    [cyan]jedi dream runs/b0 --episodes 4 --out dream.mp4[/]
    [cyan]jedi dream breakout --side-by-side --horizon 15[/]
    """
    from jedi_sdk import JEDI

    agent = JEDI.from_pretrained(run, device=device)
    loop = agent.film_dreams(out, episodes, horizon, side_by_side, seed)
    if loop is not None:
        ratio = {step: float(loop.ratio[step - 1]) for step in (1, 3, 10, 15, 50) if step <= horizon}
        figures = ", ".join(f"{ratio[step]:.2f} at step {step}" for step in ratio if math.isfinite(ratio[step]))
        typer.echo(f"error over repeat-last's: {figures}")
    typer.echo(str(out))


def probe(run: Run, frames: Frames = 4_000, updates: Updates = 1_500, device: Device = "auto") -> None:
    """Fits the pixel probe of an agent that has none, and keeps it in its checkpoint. It teaches the agent nothing.

    [bold]Examples[/]
    [cyan]jedi probe runs/b0[/]
    [cyan]jedi probe runs/b0 --updates 5000[/]
    """
    from jedi_sdk import JEDI

    agent = JEDI.from_pretrained(run, device=device)
    if agent.origin and not agent.origin.mine:
        raise CommandError(
            f"{run} is not yours to write to, and the probe is kept in the checkpoint. Make it yours: "
            f"jedi pull {run} --to runs/{agent.game.name}, then jedi probe runs/{agent.game.name}"
        )
    agent.fit_probe(frames, updates)
    typer.echo(f"Next: jedi dream {run}")
