"""``jedi bench speed``, ``scaling`` and ``profile``: what the agent costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jedi_cli.errors import CommandError
from jedi_cli.options import Device, Json, writable, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from jedi_sdk.benchmark.speed import Scaling, UpdateProfile

Game = Annotated[str, typer.Option(metavar="NAME", help="Decides only how many actions there are.")]
Preset = Annotated[str, typer.Option(metavar="NAME", help="Sizes, as in `jedi presets`.")]
Space = Annotated[str, typer.Option(metavar="NAME", help="latent, or pixel: the baseline.")]
Dtype = Annotated[str, typer.Option(metavar="NAME", help="float32 or bfloat16; auto measures which is faster.")]
Compiled = Annotated[
    bool, typer.Option("--compile/--no-compile", help="Networks through torch.compile, on every side.")
]
Dreams = Annotated[str, typer.Option(metavar="N,M", help="How many dreams are stepped together.")]
Batches = Annotated[str, typer.Option(metavar="N,M", help="Segments in the batch of an update.")]
Repeats = Annotated[int, typer.Option(metavar="N", min=1, help="Rounds in which every side takes its turn.")]
Budget = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.0, help="For a row of one side; at least one round is timed.")
]
Longest = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.0, help="Sizes of which one call would take longer are skipped.")
]
Against = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Also time DIAMOND itself, from a checkout there.", show_default=False),
]
Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the tables.", callback=writable, show_default=False)
]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Draw the curves.", callback=writable, show_default=False)
]


def speed(
    game: Game = "breakout",
    preset: Preset = "atari100k",
    device: Device = "auto",
    dtype: Dtype = "auto",
    compiled: Compiled = False,
    dreams: Dreams = "1,32,256",
    repeats: Repeats = 5,
    budget: Budget = 60.0,
    against: Against = None,
    json_file: Json = None,
    markdown: Markdown = None,
) -> None:
    """Times sampling and training beside the pixel baseline, in one run: time, memory, and the machine's ceilings.

    Sides take turns, each in processes of its own, on frames of noise. Nothing else should run beside it.

    [bold]Examples[/]
    [cyan]jedi bench speed --json speed.json --markdown speed.md[/]
    [cyan]jedi bench speed --device cuda --compile --against ../diamond[/]
    """
    from rich.console import Console

    from jedi_sdk.benchmark.speed import measure_speed
    from jedi_sdk.benchmark.speed.table import speed_markdown, speed_table
    from jedi_sdk.progress import progress_bar

    sizes = _numbers("--dreams", dreams)
    with progress_bar("starting") as report:
        found = measure_speed(game, preset, device, dtype, compiled, sizes, repeats, budget, against, report)
    Console().print(speed_table(found))
    write_json(json_file, found.to_dict())
    if markdown:
        markdown.write_text(speed_markdown(found), encoding="utf-8")


def scaling(
    game: Game = "breakout",
    preset: Preset = "atari100k",
    space: Space = "latent",
    device: Device = "auto",
    dtype: Dtype = "auto",
    compiled: Compiled = False,
    dreams: Dreams = "1,4,16,64,256,1024",
    batches: Batches = "16,32,64,128,256",
    budget: Longest = 20.0,
    json_file: Json = None,
    plot: Plot = None,
) -> None:
    """Times a dream step for more and more dreams, and each update for larger and larger batches.

    [bold]Examples[/]
    [cyan]jedi bench scaling --json scaling.json --plot scaling.png[/]
    [cyan]jedi bench scaling --device cuda --dreams 1,32,1024,4096 --batches 32,256,1024[/]
    """
    from rich.console import Console

    from jedi_sdk.benchmark.speed import measure_scaling
    from jedi_sdk.benchmark.speed.plot import plot_scaling
    from jedi_sdk.progress import progress_bar

    sizes = _numbers("--dreams", dreams), _numbers("--batches", batches)
    with progress_bar("starting") as report:
        found = measure_scaling(game, preset, space, device, dtype, compiled, *sizes, budget, report)
    Console().print(_scaling_table(found))
    write_json(json_file, found.to_dict())
    if plot:
        plot_scaling(found, plot)


def profile(
    game: Game = "breakout",
    preset: Preset = "atari100k",
    space: Space = "latent",
    device: Device = "auto",
    dtype: Dtype = "auto",
    json_file: Json = None,
) -> None:
    """Shows where the time of one combined update goes: kinds of operators, the longest of them, launches.

    [bold]Examples[/]
    [cyan]jedi bench profile --preset atari100k[/]
    [cyan]jedi bench profile --space pixel --json profile.json[/]
    """
    from rich.console import Console

    from jedi_sdk.benchmark.speed import measure_profile
    from jedi_sdk.progress import progress_bar

    with progress_bar("starting") as report:
        found = measure_profile(game, preset, space, device, dtype, report)
    console = Console()
    for table in _profile_tables(found):
        console.print(table)
    write_json(json_file, found.to_dict())


def _scaling_table(found: Scaling) -> Table:
    from rich.table import Table

    from jedi_sdk.benchmark.speed.result import TITLES
    from jedi_sdk.benchmark.speed.units import amount, percent

    table = Table(
        "", "n", "a call", "for each", "of matrix ceiling", title=f"{found.game}, {found.preset}, {found.space}"
    )
    for point in found.points:
        times = amount(point.seconds, "s"), amount(point.seconds / point.n, "s")
        table.add_row(TITLES[point.part], str(point.n), *times, percent(point.share_of_flops))
    for part, sizes in found.skipped.items():
        if sizes:
            table.add_row(TITLES[part], ", ".join(map(str, sizes)), "skipped")
    fewest = found.of("sample")[0].n
    table.caption = (
        f"Up to n = {found.flat_until('sample')} a dream step takes less than twice as long as with {fewest}."
    )
    return table


def _profile_tables(found: UpdateProfile) -> list[Table]:
    from rich.table import Table

    from jedi_sdk.benchmark.speed.units import amount, percent

    p = found.profile
    title = f"{found.game}, {found.preset}, {found.space}: {amount(p.seconds, 's')}, {p.launches:,} launches"
    kinds = Table("kind", "time", "share", title=title)
    for name, seconds in sorted(p.kinds.items(), key=lambda item: -item[1]):
        kinds.add_row(name, amount(seconds, "s"), percent(seconds / p.seconds))
    top = Table("operator", "calls", "time", "share", title="longest operators")
    for operator in p.top:
        share = percent(operator.seconds / p.seconds)
        top.add_row(operator.name, f"{operator.calls:,}", amount(operator.seconds, "s"), share)
    return [kinds, top]


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise CommandError(f"{text!r}: write whole numbers with commas, for example {option} 1,32,256")
    return numbers
