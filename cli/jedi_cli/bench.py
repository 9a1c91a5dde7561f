"""``jedi bench``: measurements that take their time."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jedi_cli.errors import Teaching
from jedi_cli.options import Device, Json, Set, refuse_given, write_json

if TYPE_CHECKING:
    from jedi_sdk.benchmark import Result

bench = typer.Typer(
    cls=Teaching,
    rich_markup_mode="rich",
    no_args_is_help=True,
    help="Comparisons, reproducible with one command each.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Games = Annotated[str, typer.Option(metavar="A,B", help="Games, with commas between them.")]
Variants = Annotated[
    str,
    typer.Option(
        metavar="A,B",
        help="Objectives: default, paper, all-grid, all-factors, single names (--list shows them), or one of your own "
        "as name:objective.switch=never;objective.clamp=false.",
    ),
]
Updates = Annotated[
    int, typer.Option(metavar="N", min=1, help="Updates of the denoiser; of the heads, the preset's share.")
]
Seeds = Annotated[str, typer.Option(metavar="N,M", help="Seeds of networks, frames and dreams.")]
Preset = Annotated[str, typer.Option(metavar="NAME", help="Sizes, as in `jedi presets`.")]
Frames = Annotated[int, typer.Option(metavar="N", min=100, help="Real steps to learn from.")]
Contexts = Annotated[int, typer.Option(metavar="N", min=2, help="Held-out contexts to dream from.")]
ProbeSteps = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1000,
        help="Real steps with known positions behind the probe of displacement: with more it reads more off the same "
        "latents.",
    ),
]
PlayedBy = Annotated[
    str | None,
    typer.Option(
        metavar="AGENT",
        help="Whose play is held out, as for `jedi eval`: does what was learned from random play hold in better play? "
        "Without it, random play as well.",
    ),
]
Every = Annotated[int, typer.Option(metavar="N", min=1, help="Updates between two measurements.")]
Prune = Annotated[
    float,
    typer.Option(
        metavar="X", min=0.0, help="Give an entry up once its error ratio at step 3 is X times the best; 0: never."
    ),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Checkpoints, variants.json, variants.md and variants.png.")]
List = Annotated[bool, typer.Option("--list", help="Only show the variants there are, and what they set.")]


@bench.command("variants")
def variants(
    games: Games = "breakout",
    variants: Variants = "default,paper",
    updates: Updates = 3_000,
    seeds: Seeds = "0",
    preset: Preset = "small",
    set_: Set = None,
    frames: Frames = 40_000,
    contexts: Contexts = 512,
    probe_steps: ProbeSteps = 16_000,
    played_by: PlayedBy = None,
    every: Every = 500,
    prune: Prune = 0.0,
    out: Out = Path("runs/variants"),
    device: Device = "auto",
    list_: List = False,
) -> None:
    """Trains the world model alone, once for each objective, and reports what its dreams get right.

    Every variant learns from the same recorded play. It can be stopped at any time: the same command goes on, with
    more updates if you ask for more, and entries already in the folder stay in the report.

    [bold]Examples[/]
    [cyan]jedi bench variants --games breakout --variants all-grid --updates 3000 --prune 3[/]
    [cyan]jedi bench variants --games breakout,pong --variants default,ema,"mine:objective.switch=never"[/]
    """
    from jedi_sdk.benchmark import Contest, find_variants

    if list_:
        return _show_variants()
    contest = Contest(
        games=_words(games),
        variants=find_variants(_words(variants)),
        out=out,
        updates=updates,
        seeds=_seeds(seeds),
        preset=preset,
        overrides=set_ or [],
        frames=frames,
        contexts=contexts,
        probe_steps=probe_steps,
        every=every,
        prune=prune,
        device=device,
        played_by=played_by,
    )
    try:
        contest.run()
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on from here.", err=True)
        raise typer.Exit(130) from None
    finally:
        _report(out)
    return None


Where = Annotated[str | None, typer.Argument(metavar="[RUN]", help="As for `jedi eval`; without it, fresh networks.")]
NumEnvs = Annotated[int, typer.Option(metavar="N", min=1, help="Dreams side by side.")]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="float32 or bfloat16; auto: as a RUN was trained where that is not slow, fresh networks in the faster.",
    ),
]
Steps = Annotated[int, typer.Option(metavar="N", min=10, help="Batched steps to time.")]
Horizon = Annotated[int, typer.Option(metavar="N", min=1, help="Steps until a dream is truncated.")]
Game = Annotated[str, typer.Option(metavar="NAME", help="Of the fresh networks.")]


@bench.command("dream")
def dream(
    context: typer.Context,
    run: Where = None,
    game: Game = "breakout",
    preset: Preset = "atari100k",
    num_envs: NumEnvs = 64,
    steps: Steps = 100,
    horizon: Horizon = 50,
    dtype: Dtype = "auto",
    json_file: Json = None,
    device: Device = "auto",
) -> None:
    """Times a dream as an environment: world model, adaptors, and one batch against single dreams.

    [bold]Examples[/]
    [cyan]jedi bench dream --preset atari100k[/]
    [cyan]jedi bench dream runs/catch --json dream.json[/]
    """
    from rich.console import Console
    from rich.table import Table

    from jedi_sdk import JEDI
    from jedi_sdk.benchmark.dream import fresh_agent, measure_dream
    from jedi_sdk.progress import progress_bar

    if run:
        refuse_given(context, ["game", "preset"], f"is of fresh networks, and {run} has its own: leave one out")
    make = partial(JEDI.from_pretrained, run) if run else partial(fresh_agent, game, preset)
    agent = make(device=device, overrides=[f"run.dtype={dtype}"])
    with progress_bar("dreaming") as report:
        cost = measure_dream(agent, num_envs, steps, horizon, report)
    table = Table("a batched step", "time", "share", title=f"{cost.game}, {cost.preset}: {num_envs} dreams")
    step = num_envs / cost.steps_per_second
    rows = {"world model": cost.world_model, "  denoiser": cost.denoiser, "  heads": cost.heads}
    for name, seconds in rows.items():
        table.add_row(name, f"{1e3 * seconds:.2f} ms", f"{seconds / step:.0%}")
    for name, seconds in cost.adaptors.items():
        table.add_row(f"{name} adaptor", f"{1e6 * seconds:.0f} µs", f"{seconds / step:.1%}")
    Console().print(table)
    typer.echo(
        f"{cost.steps_per_second:,.0f} dream steps a second through gymnasium's env; {num_envs} single dreams take "
        f"{cost.single / step:.1f} times as long. {cost.device}, {cost.dtype}, {cost.threads} threads, medians."
    )
    write_json(json_file, cost.to_dict())


def _report(out: Path) -> None:
    """Table, JSON, Markdown and picture of everything in ``out``."""
    from rich.console import Console

    from jedi_sdk.benchmark.plot import plot_contest
    from jedi_sdk.benchmark.result import load_results, to_json
    from jedi_sdk.benchmark.table import contest_markdown, contest_table

    results: list[Result] = load_results(out)
    if not results:
        return
    (out / "variants.json").write_text(json.dumps(to_json(results), indent=1) + "\n", encoding="utf-8")
    (out / "variants.md").write_text(contest_markdown(results), encoding="utf-8")
    plot_contest(results, out / "variants.png")
    Console().print(contest_table(results))
    typer.echo(f"{out / 'variants.json'}, variants.md and variants.png")


def _show_variants() -> None:
    from jedi_sdk.benchmark import VARIANTS

    for variant in VARIANTS.values():
        typer.echo(f"{variant.name:24} {' '.join(variant.overrides) or f'objective={variant.objective}'}")


def _words(text: str) -> list[str]:
    """What stands between commas, but for those inside the brackets of a setting's list."""
    return [word.strip() for word in re.split(r",(?![^\[]*\])", text) if word.strip()]


def _seeds(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write whole numbers with commas, for example --seeds 0,1") from None
