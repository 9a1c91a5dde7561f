"""``jedi eval``: how well a trained agent plays, or how true its dream is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jedi_cli.errors import CommandError
from jedi_cli.options import Device, Run, Seed, refuse_given, writable, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from jedi_sdk import JEDI
    from jedi_sdk.evaluate import Evaluation

Episodes = Annotated[int, typer.Option(metavar="N", min=1, help="Whole games to play.", rich_help_panel="Play")]
Greedy = Annotated[
    bool,
    typer.Option("--greedy/--sample", help="Likeliest action, or one drawn from the policy.", rich_help_panel="Play"),
]
Video = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.mp4",
        help="Film whole games, 20 seconds at least.",
        callback=writable,
        rich_help_panel="Play",
        show_default=False,
    ),
]
Json = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the result.",
        callback=writable,
        rich_help_panel="Play",
        show_default=False,
    ),
]
FidelityFlag = Annotated[
    bool,
    typer.Option(
        "--fidelity",
        help="Measure the dream instead of the play: table, fidelity.png and fidelity.json.",
        rich_help_panel="The dream",
    ),
]
Contexts = Annotated[
    int, typer.Option(metavar="N", min=1, help="Real contexts to dream from.", rich_help_panel="The dream")
]
Horizon = Annotated[int, typer.Option(metavar="N", min=1, help="Steps dreamed from each.", rich_help_panel="The dream")]


def evaluate(
    context: typer.Context,
    run: Run,
    episodes: Episodes = 100,
    greedy: Greedy = False,
    video: Video = None,
    json_file: Json = None,
    fidelity: FidelityFlag = False,
    contexts: Contexts = 2000,
    horizon: Horizon = 15,
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Plays the real game with a trained agent, or measures how true its dream is.

    [bold]Examples[/]
    [cyan]jedi eval runs/b0 --episodes 100 --video out.mp4 --json out.json[/]
    [cyan]jedi eval breakout --greedy[/]
    [cyan]jedi eval runs/b0 --fidelity[/]
    """
    if fidelity and (video or json_file):
        raise CommandError(
            "--fidelity looks at the dream, --video and --json at the play. Type two commands: "
            f"`jedi eval {run} --fidelity`, and the same without --fidelity."
        )
    if fidelity:
        refuse_given(
            context, ["episodes", "greedy"], "is about the play, and --fidelity looks at the dream: leave one out"
        )
    else:
        refuse_given(
            context, ["contexts", "horizon"], "is about the dream: write --fidelity beside it, or leave it out"
        )

    from jedi_sdk import JEDI

    agent = JEDI.from_pretrained(run, device=device)
    if fidelity:
        _measure_dream(agent, contexts, horizon, seed)
    else:
        _play(agent, episodes, greedy, seed, video, json_file)


def _play(
    agent: JEDI, episodes: int, greedy: bool, seed: int | None, video: Path | None, json_file: Path | None
) -> None:
    from rich.console import Console

    result = agent.evaluate(episodes=episodes, deterministic=greedy, seed=seed, video=video)
    Console().print(_table(result))
    write_json(json_file, asdict(result))


def _measure_dream(agent: JEDI, contexts: int, horizon: int, seed: int | None) -> None:
    from rich.console import Console

    folder = (agent.origin and agent.origin.run_dir) or Path()
    picture, figures = folder / "fidelity.png", folder / "fidelity.json"
    for file in (picture, figures):  # before the minutes that they cost
        writable(file)
    report = agent.fidelity(contexts=contexts, horizon=horizon, seed=seed)
    Console().print(report.table())
    report.plot(picture)
    figures.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    typer.echo(f"{picture} and {figures}")


def _table(result: Evaluation) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("", str(result.game), title=f"{result.episodes} games", title_justify="left")
    for name, value in _rows(result).items():
        table.add_row(name, Text(value, overflow="fold"))  # a path whole, and as it is
    return table


def _rows(result: Evaluation) -> dict[str, str]:
    error = f"± {result.stderr:.2g} (standard error)" if result.episodes > 1 else "(one game: error unknown)"
    rows: dict[str, Any] = {
        "mean return": f"{result.mean:.3g} {error}",
        "standard deviation": f"{result.std:.3g}" if result.episodes > 1 else "–",
        "lowest, highest": f"{result.min:.3g}, {result.max:.3g}",
        "mean length": f"{sum(result.lengths) / len(result.lengths):.0f} steps",
        "checkpoint": str(result.checkpoint),
        "computed in": str(result.dtype),
    }
    if result.cut:
        rows["cut by the game's step limit"] = f"{result.cut} of {result.episodes} games"
    if result.hns is not None:
        rows["human-normalised"] = f"{result.hns:.3f}"
    return rows
