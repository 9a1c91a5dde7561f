"""Arguments that several commands take, so that one word means one thing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from jedi_cli.errors import CommandError

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run or checkpoint folder (a path: runs/b0, ./b0), a short name of the zoo (`jedi models`), or "
        "owner/name on the Hub; behind these two @REVISION, if need be.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda or cuda:1; auto takes a GPU where there is one.")]
LAST_SEED = 2**63 - 1  # as in a configuration
Seed = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=LAST_SEED, help="Without it: the run's.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting by its dotted key; can be repeated.", show_default=False
    ),
]


def refuse_given(context: typer.Context, names: list[str], why: str) -> None:
    """Options that would be ignored; those that were not typed have their defaults and are none."""
    for name in names:
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE":  # of an enum that is click's, or typer's own copy of it
            raise CommandError(f"--{name.replace('_', '-')} {why}.")


def writable(file: Path | None) -> Path | None:
    """Where the figures or the film of minutes will go, looked at before these minutes."""
    if file is None:
        return None
    file = file.expanduser()
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a folder; name a file in it")
    file.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise typer.BadParameter(f"{file} cannot be written to; name another place")
    return file


Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the figures.", callback=writable, show_default=False),
]


def write_json(file: Path | None, figures: Any) -> None:
    """What was measured, where ``--json`` asks for it; null where that is no number, as JSON has none for it."""
    if file:
        from jedi_sdk.fidelity.report import finite

        file.write_text(json.dumps(finite(figures), indent=2, allow_nan=False) + "\n", encoding="utf-8")
