"""``jedi presets``: what --preset and --objective may name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from jedi_sdk.config import Config, ObjectiveConfig

OBJECTIVE_ROWS = ("predict", "latent_scale", "target_net", "switch", "clamp", "predictor", "encoder_grad")


def presets() -> None:
    """Lists the presets with their sizes and schedules, and the objectives."""
    from rich.console import Console

    from jedi_sdk.presets import OBJECTIVES, PRESETS

    console = Console()
    console.print(_table("Presets", PRESETS, [_preset_rows(config) for config in PRESETS.values()]))
    console.print(_table("Objectives", OBJECTIVES, [_objective_rows(o) for o in OBJECTIVES.values()]))
    console.print("The two combine freely: jedi train breakout --preset small --objective paper", highlight=False)
    console.print("The objective pixel comes with --set space=pixel, and with nothing else.", highlight=False)


def _preset_rows(config: Config) -> dict[str, str]:
    from jedi_sdk.schedule import total_work
    from jedi_sdk.sizes import parameter_counts

    counts, work = parameter_counts(config), total_work(config.schedule)
    rows = {f"{name.replace('_', '-')} parameters": _short(number) for name, number in counts.items()}
    rows["all parameters"] = _short(sum(counts.values()))
    rows["with space=pixel"] = _short(sum(parameter_counts(replace(config, space="pixel")).values()))
    rows["latent"] = f"{config.encoder.channels[-1]}x8x8"
    rows["real steps"] = _short(work.env_steps)
    rows["denoiser updates"] = _short(work.denoiser)
    rows["heads updates"] = _short(work.heads)
    rows["actor-critic updates"] = _short(work.actor_critic)
    rows["heads learn on latents"] = config.objective.heads_latents
    rows["batch x imagined steps"] = f"{config.optim.batch_size} x {config.actor_critic.horizon}"
    return rows


def _objective_rows(objective: ObjectiveConfig) -> dict[str, str]:
    return {name: str(getattr(objective, name)).lower() for name in OBJECTIVE_ROWS}


def _table(title: str, names: Iterable[str], columns: list[dict[str, str]]) -> Table:
    from rich.table import Table

    table = Table("", *names, title=title, title_justify="left")
    for row in columns[0]:
        table.add_row(row, *(column[row] for column in columns))
    return table


def _short(number: int) -> str:
    """Three digits: 4,330,000 is 4.33M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)
