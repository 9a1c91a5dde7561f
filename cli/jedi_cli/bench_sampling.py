"""``jedi bench sampling``: how many denoiser calls a dream needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jedi_cli.options import LAST_SEED, Device, Json, Run, write_json

if TYPE_CHECKING:
    from rich.table import Table

Contexts = Annotated[int, typer.Option(metavar="N", min=2, help="Held-out contexts to dream from.")]
Horizon = Annotated[int, typer.Option(metavar="N", min=1, help="Steps dreamed from each.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, max=LAST_SEED, help="Of play and dreams.")]
Dtypes = Annotated[
    str,
    typer.Option(
        metavar="A,B", help="float32, bfloat16 or both, with a comma; by default the agent's.", show_default=False
    ),
]


def sampling(
    run: Run,
    contexts: Contexts = 512,
    horizon: Horizon = 15,
    seed: Seed = 0,
    dtypes: Dtypes = "",
    json_file: Json = None,
    device: Device = "auto",
) -> None:
    """Dreams with 1, 2, 3 and 5 steps, of Euler and of Heun: how true, and how fast.

    [bold]Examples[/]
    [cyan]jedi bench sampling runs/b0 --contexts 1000[/]
    [cyan]jedi bench sampling breakout --dtypes float32,bfloat16[/]
    """
    from rich.console import Console

    from jedi_sdk import JEDI
    from jedi_sdk.benchmark.sampling import measure_sampling
    from jedi_sdk.progress import progress_bar

    agent = JEDI.from_pretrained(run, device=device)
    with progress_bar("playing") as report:
        names = [name.strip() for name in dtypes.split(",") if name.strip()]
        rows = [row.to_dict() for row in measure_sampling(agent, contexts, horizon, seed, report, names)]
    shown = [step for step in (1, 3, 10, 15, 50) if step <= horizon]
    Console().print(_table(rows, shown, f"{agent.game.name}: {contexts} contexts, {horizon} steps"))
    for row in rows:
        if row["refused"]:
            typer.echo(f"{row['method']}, {row['steps']} steps, {row['dtype']}: {row['refused']}")
    write_json(json_file, rows)


def _table(rows: list[dict[str, Any]], shown: list[int], title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    columns = ["sampler", "ms a step", *(f"error at {k}" for k in shown), "motion", "rewards dreamed / real"]
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left")
    for row in rows:
        if not row["refused"]:
            table.add_row(f"{row['method']}, {row['steps']}, {row['dtype']}", *_figures(row, shown))
    return table


def _figures(row: dict[str, Any], shown: list[int]) -> list[str]:
    errors = [_figure(row["ratio"][k - 1]) for k in shown]
    shares = [sum(row["reward"][f"frequency_{which}"][sign] for sign in ("-1", "1")) for which in ("dreamed", "real")]
    rewards = " / ".join(f"{share:.2%}" for share in shares)
    return [f"{1e3 * row['seconds']:.1f}", *errors, _figure(row["liveliness"][shown[-1] - 1]), rewards]


def _figure(value: float | None) -> str:
    """None: no real game lasted so long."""
    return "–" if value is None else f"{value:.2f}"
