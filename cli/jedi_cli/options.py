"""Arguments that several commands take, so that one word means one thing."""

from __future__ import annotations

from typing import Annotated

import typer

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run or checkpoint folder (a path: runs/b0, ./b0), a short name of the zoo (`jedi models`), or "
        "owner/name on the Hub.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda or cuda:1; auto takes a GPU where there is one.")]
Seed = Annotated[int | None, typer.Option(metavar="N", min=0, help="Without it: the run's.", show_default=False)]
