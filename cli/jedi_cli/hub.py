"""``jedi models``, ``pull``, ``export`` and ``push``: agents that travel."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jedi_cli.options import Device, Run, Seed

if TYPE_CHECKING:
    from rich.table import Table

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="owner/name on the Hub, or a short name of the zoo; behind it @REVISION, if need be."
    ),
]
Repo = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Where it goes; made if need be.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")]
To = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A folder of one's own. Without it: the cache.", show_default=False)
]
Revision = Annotated[
    str | None, typer.Option(metavar="NAME", help="A branch, tag or commit. Without it: main.", show_default=False)
]
Branch = Annotated[
    str | None,
    typer.Option("--revision", metavar="BRANCH", help="A branch, made if need be.", show_default=False),
]
Tag = Annotated[
    str | None, typer.Option(metavar="NAME", help="A name for what is pushed, for good.", show_default=False)
]
Private = Annotated[bool, typer.Option("--private", help="If it is made now: for you alone.")]
Endpoint = Annotated[
    str | None, typer.Option(metavar="URL", help="A mirror. Without it: HF_ENDPOINT's.", show_default=False)
]
Episodes = Annotated[int, typer.Option(metavar="N", min=0, help="Whole real games for the score; 0: no score.")]
Greedy = Annotated[bool, typer.Option("--greedy/--sample", help="Likeliest action, or one drawn from the policy.")]
Half = Annotated[bool, typer.Option("--half", help="Weights in half precision: half the size.")]
Starts = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Beginnings of dreams to keep. Without it: all.", show_default=False),
]
CalledBy = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="What others will load it by, for the card.", show_default=False),
]


def models() -> None:
    """Lists the agents that have a short name: game, score, size, and where they are now."""
    from rich.console import Console

    from jedi_sdk.hub import Hub, entries

    Console().print(_table([[*entry.row(), Hub().place_of(entry)] for entry in entries().values()]))
    typer.echo("Next: jedi eval NAME, or in Python JEDI.from_pretrained(NAME)")


def _table(rows: list[list[str]]) -> Table:
    from rich.table import Table

    table = Table("name", "game", "mean return ± s.e. (games)", "size", "where")
    for row in rows:
        table.add_row(*row)
    return table


def pull(name: Name, to: To = None, revision: Revision = None, endpoint: Endpoint = None) -> None:
    """Fetches an agent, or a policy for its latents, from the Hub.

    [bold]Examples[/]
    [cyan]jedi pull me/my-agent@v1[/]
    [cyan]jedi pull me/my-agent --to runs/theirs --revision v1[/]
    """
    from jedi_sdk.checkpoint import AGENT, kind_of
    from jedi_sdk.hub import Hub
    from jedi_sdk.hub import pull as fetch

    folder = fetch(name, to, revision, Hub(endpoint))
    asked = f"{name}@{revision}" if revision else name
    where = asked if to is None else folder if folder.is_absolute() else f"./{folder}"
    is_agent = kind_of(folder) is AGENT
    after = (
        f"jedi eval {shlex.quote(str(where))}" if is_agent else f'in Python jedi_sdk.policies.load_policy("{where}")'
    )
    typer.echo(f"{asked} is in {folder}. Next: {after}")


def export(
    run: Run,
    folder: Folder,
    episodes: Episodes = 100,
    greedy: Greedy = False,
    half: Half = False,
    starts: Starts = None,
    name: CalledBy = None,
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Writes the folder that others load: weights, scores, film and card, without the training state.

    [bold]Examples[/]
    [cyan]jedi export runs/b0 my-agent --episodes 100 --half[/]
    [cyan]jedi export runs/b0 my-agent --name me/my-agent[/]
    """
    from jedi_sdk import JEDI
    from jedi_sdk.run_folder import typed

    JEDI.from_pretrained(run, device=device).export(folder, episodes, greedy, half, starts, seed, name)
    typer.echo(f"{folder} is ready. Next: jedi push {typed(folder)} OWNER/NAME")


def push(
    run: Run,
    repo: Repo,
    private: Private = False,
    revision: Branch = None,
    tag: Tag = None,
    episodes: Episodes = 100,
    endpoint: Endpoint = None,
    device: Device = "auto",
) -> None:
    """Publishes an agent on the Hub, or a policy for its latents. An agent that was not exported is, first: that plays
    whole games for its card.

    [bold]Examples[/]
    [cyan]jedi push ./my-agent me/my-agent --private[/]
    [cyan]jedi push runs/b0 me/my-agent --episodes 20[/]
    """
    from jedi_sdk import JEDI
    from jedi_sdk.checkpoint import AGENT, kind_of
    from jedi_sdk.hub import Hub, resolve
    from jedi_sdk.hub import push as send

    found = resolve(run)
    if kind_of(found.folder) is not AGENT:
        typer.echo(send(found.folder, repo, private or None, revision, tag, Hub(endpoint)))
        return
    agent = JEDI.from_pretrained(found, device=device)
    typer.echo(agent.push_to_hub(repo, private or None, revision, tag, endpoint, episodes=episodes))
