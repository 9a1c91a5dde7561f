"""``jedi bench baselines``, ``ceiling``, ``judge`` and ``choices``: what a score lies between, and whether a dream can
tell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jedi_cli.options import LAST_SEED, Device, Json, Run, Set, write_json

if TYPE_CHECKING:
    from jedi_sdk.benchmark.choices import Right
    from jedi_sdk.evaluate import Evaluation

Game = Annotated[str, typer.Argument(metavar="GAME", help="As in `jedi train`.")]
Episodes = Annotated[int, typer.Option(metavar="N", min=2, help="Whole games to play.")]
Updates = Annotated[int, typer.Option(metavar="N", min=1, help="Updates of the actor-critic.")]
Every = Annotated[int, typer.Option(metavar="N", min=1, help="Updates between two points of the curve.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, max=LAST_SEED, help="Of games, networks and actions.")]
Policy = Annotated[
    list[str] | None,
    typer.Option(metavar="RUN", help="An agent with the same encoder and another policy; can be repeated."),
]
Steps = Annotated[int, typer.Option(metavar="N", min=1, help="Real steps for each policy, and about as many dreamed.")]
Moments = Annotated[int, typer.Option(metavar="N", min=2, help="Moments of the agent's play; 5 seconds each on a CPU.")]
Ways = Annotated[
    int, typer.Option(metavar="N", min=2, help="Ways on from each moment: so many random, so many its own.")
]
Horizon = Annotated[int, typer.Option(metavar="N", min=1, help="Steps of a way on.")]
Asleep = Annotated[
    bool,
    typer.Option(
        "--asleep", help="Learn in dreams that begin where the real games stand: what the dream's errors alone cost."
    ),
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep the agent with the policy it learned.", show_default=False)
]


def baselines(game: Game, episodes: Episodes = 50, seed: Seed = 0, json_file: Json = None) -> None:
    """Plays a game at random, and with each action over and over: what a score must beat.

    [bold]Example[/]
    [cyan]jedi bench baselines breakout --episodes 50[/]
    """
    from rich.console import Console
    from rich.table import Table

    from jedi_sdk.benchmark.baselines import measure_baselines
    from jedi_sdk.envs import resolve_game
    from jedi_sdk.progress import progress_bar

    with progress_bar("playing") as report:
        found = measure_baselines(resolve_game(game), episodes, seed, report)
    table = Table(game, "return", "steps", title=f"{episodes} games", title_justify="left")
    table.add_row("random", *_figures(found.random))
    for act, result in enumerate(found.constant):
        table.add_row(f"always {act}{', the best' * (act == found.best_constant)}", *_figures(result))
    Console().print(table)
    write_json(json_file, found.to_dict())


def ceiling(
    run: Run,
    updates: Updates = 5_000,
    episodes: Episodes = 50,
    every: Every = 100,
    seed: Seed = 0,
    asleep: Asleep = False,
    set_: Set = None,
    out: Out = None,
    json_file: Json = None,
    device: Device = "auto",
) -> None:
    """Trains the same actor-critic on true latents of the real game: what it would learn in perfect dreams.

    Ctrl-C ends the learning; what was learned until then is played.

    [bold]Examples[/]
    [cyan]jedi bench ceiling runs/b0 --updates 5000[/]
    [cyan]jedi bench ceiling runs/b0 --updates 5000 --asleep[/]
    """
    from jedi_sdk import JEDI
    from jedi_sdk.benchmark.ceiling import measure_ceiling

    agent = JEDI.from_pretrained(run, device=device, overrides=set_ or [])
    found = measure_ceiling(agent, updates, episodes, seed, every, out, asleep)
    score, steps = _figures(found.evaluation)
    typer.echo(f"{found.updates:,} updates, {found.env_steps:,} real steps: return {score}, {steps} steps a game")
    write_json(json_file, found.to_dict())


def judge(
    run: Run,
    policy: Policy = None,
    steps: Steps = 20_000,
    seed: Seed = 0,
    json_file: Json = None,
    device: Device = "auto",
) -> None:
    """Plays and dreams with a random policy, the agent's own and others: does the dream know good from bad?

    [bold]Example[/]
    [cyan]jedi bench ceiling runs/b0 --out runs/b0-awake[/]
    [cyan]jedi bench judge runs/b0 --policy runs/b0-awake[/]
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jedi_sdk import JEDI
    from jedi_sdk.benchmark.judge import judge
    from jedi_sdk.progress import progress_bar

    agent = JEDI.from_pretrained(run, device=device)
    others = {name: JEDI.from_pretrained(name, device=device) for name in policy or []}
    with progress_bar("judging") as report:
        found = judge(agent, others, steps, seed, report)
    columns = ("rewards a step, real", "dreamed", "ends a step, real", "dreamed", "dream pays / game pays")
    table = Table("policy", *columns, title=agent.game.name)
    for one in found:
        rates = (one.real.reward, one.dreamed.reward, one.real.end, one.dreamed.end)
        table.add_row(
            Text(one.policy, overflow="fold"),
            *(f"{rate:.2%}" for rate in rates),
            f"{one.pays:.2f} ± {one.pays_stderr:.2f}",
        )
    Console().print(table)
    write_json(json_file, [one.to_dict() for one in found])


def choices(
    run: Run,
    moments: Moments = 100,
    ways: Ways = 8,
    horizon: Horizon = 15,
    seed: Seed = 0,
    json_file: Json = None,
    device: Device = "auto",
) -> None:
    """Goes on from one moment in several ways, in the game and in dreams: does the dream know which way is better?

    [bold]Example[/]
    [cyan]jedi bench choices runs/b0[/]
    """
    from rich.console import Console
    from rich.table import Table

    from jedi_sdk import JEDI
    from jedi_sdk.benchmark.choices import measure_choices
    from jedi_sdk.progress import progress_bar

    agent = JEDI.from_pretrained(run, device=device)
    with progress_bar("choosing") as report:
        found = measure_choices(agent, moments, ways, horizon, seed, report)
    title = f"{agent.game.name}: pairs of ways on from one moment, {horizon} steps each"
    columns = ("ways on", "differ in", "pairs", "moments", "dream right", "heads right off real frames")
    table = Table(*columns, title=title)
    for one in found:
        counts = (f"{one.pairs:,}", f"{one.moments:,}")
        table.add_row(one.ways, one.outcome, *counts, _share(one.right), _share(one.right_encoded))
    Console().print(table)
    typer.echo("Right: the share of pairs in the game's order, a tie counting half. Chance and silence have 50 %.")
    write_json(json_file, [one.to_dict() for one in found])


def _share(right: Right) -> str:
    """A dash where the game told no two ways apart; no error where all pairs are from one moment."""
    if math.isnan(right.share):
        return "–"
    error = "" if math.isnan(right.stderr) else f" ± {right.stderr:.1%}"
    return f"{right.share:.1%}{error}\n{right.ties:.0%} ties"


def _figures(result: Evaluation) -> tuple[str, str]:
    error = f" ± {result.stderr:.2g}" if result.episodes > 1 else ""
    return f"{result.mean:.3g}{error}", f"{sum(result.lengths) / len(result.lengths):,.0f}"
