"""``jedi``: the door. Each command lives in its own file."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from jedi_cli.bench import bench
from jedi_cli.bench_play import baselines, ceiling, choices, judge
from jedi_cli.bench_sampling import sampling
from jedi_cli.bench_speed import profile, scaling, speed
from jedi_cli.dream import dream, probe
from jedi_cli.errors import Teaching
from jedi_cli.eval import evaluate
from jedi_cli.hub import export, models, pull, push
from jedi_cli.presets import presets
from jedi_cli.train import train

app = typer.Typer(
    cls=Teaching,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug shows Python's own traceback, whole
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`jedi COMMAND --help` has examples for each command.",
)
app.command("train")(train)
app.command("eval")(evaluate)
app.command("dream")(dream)
app.command("probe")(probe)
app.command("models")(models)
app.command("pull")(pull)
app.command("export")(export)
app.command("push")(push)
app.command("presets")(presets)
bench.command("baselines")(baselines)
bench.command("ceiling")(ceiling)
bench.command("judge")(judge)
bench.command("choices")(choices)
bench.command("sampling")(sampling)
bench.command("speed")(speed)
bench.command("scaling")(scaling)
bench.command("profile")(profile)
app.add_typer(bench, name="bench")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # dear, and help needs none

        typer.echo(f"jedi {version('jedi-sdk')}")
        raise typer.Exit


@app.callback()
def jedi(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Agents that learn a game inside their own imagined latents.

    [bold]A trained agent[/], at once:
    [cyan]jedi eval catch --video catch.mp4[/]
    [cyan]jedi dream catch[/]

    [bold]A first run[/], a few minutes on a laptop:
    [cyan]jedi train catch --run-dir runs/catch[/]
    [cyan]jedi eval runs/catch --video catch.mp4[/]

    [bold]A real game[/], and how true its dream is:
    [cyan]jedi train breakout --run-dir runs/b0[/]
    [cyan]jedi eval runs/b0 --fidelity[/]
    [cyan]jedi dream runs/b0 --side-by-side[/]
    """
    warnings.formatwarning = lambda message, *_, **__: f"{message}\n"  # for people: without the line of code
    sys.path.append(str(Path.cwd()))  # so that module:Id finds a module that lies here; last, so that it hides no other
