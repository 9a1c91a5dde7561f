"""From what a person typed to a checkpoint folder: a path, a short name of the zoo, or a repository of the Hub."""

from __future__ import annotations

import difflib
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from jedi_sdk import checkpoint

from .client import Hub
from .errors import HubError, NoSuchRepoError, UnreachableError
from .results import read_results
from .zoo import ORG, Entry, entries

REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Found:
    """A checkpoint ``folder``; ``title`` names one that was not given as a path: ``catch (v1, embedded)``."""

    folder: Path
    title: str | None = None

    def __str__(self) -> str:
        return self.title or str(self.folder)

    @property
    def mine(self) -> bool:
        """May be written to."""
        return self.title is None

    @property
    def run_dir(self) -> Path | None:
        """The run that it lies in, if that is so and one's own."""
        return self.folder.parent.parent if self.mine and self.folder.parent.name == "checkpoints" else None


def resolve(name: str | Path | Found, revision: str | None = None, hub: Hub | None = None) -> Found:
    """Which agent is meant.

    A path contains a separator and exists, or begins with ``.``, ``~`` or ``/``; a ``Path`` is always one. Anything
    else is a short name of the zoo, or ``owner/name`` on the Hub. ``revision``: a branch, tag or commit there. What
    was found already stays what it is.

    Raises:
        HubError: no such agent, or it could not be fetched; says what to type.
        CheckpointError: a path that holds none.
    """
    hub = hub or Hub()
    if isinstance(name, Found):
        return name
    if is_path(name):
        return _own(Path(name).expanduser(), revision)
    if name in entries():
        return _of_the_zoo(entries()[str(name)], revision, hub)
    if REPO.fullmatch(str(name)):
        return _of_the_hub(str(name), revision, hub)
    raise _unknown(str(name))


def is_path(name: str | Path) -> bool:
    """Whether ``name`` is read as a path; ``owner/name`` is one where such a folder exists."""
    if isinstance(name, Path) or name.startswith((".", "~", "/", os.sep)):
        return True
    return ("/" in name or os.sep in name) and (Path(name).exists() or not REPO.fullmatch(name))


def _own(path: Path, revision: str | None) -> Found:
    if revision is not None:
        raise HubError(f"revision= chooses a version of a repository, and {path} is a folder: leave one of them out")
    return Found(checkpoint.find(path))


def _of_the_hub(repo: str, revision: str | None, hub: Hub) -> Found:
    try:
        folder = hub.fetch(repo, revision)
    except (NoSuchRepoError, UnreachableError) as error:
        raise type(error)(
            f"{error}. (There is no folder {repo} here; a path that is to be found begins with ./)"
        ) from error
    return Found(folder, f"{repo} ({revision or folder.name[:8]})")


def _of_the_zoo(entry: Entry, revision: str | None, hub: Hub) -> Found:
    org = os.environ.get("JEDI_HUB_ORG", ORG)
    if revision is not None or org != ORG:
        repo = f"{org}/{entry.repo.partition('/')[2]}"
        _warn(
            f"{entry.name}: {'revision=' if revision is not None else 'JEDI_HUB_ORG'} turns the pin off; loading "
            f"{repo} at {revision or 'its newest'} and not {entry.revision}, which this jedi-sdk was tested with"
        )
        return _of_the_hub(repo, revision, hub)
    if entry.embedded == entry.revision:
        return _embedded(entry)
    try:
        return Found(hub.fetch_pinned(entry), f"{entry.name} ({entry.revision})")
    except UnreachableError as error:
        if entry.embedded is None:
            raise
        scored = read_results(entry.folder)
        _warn(
            f"{error}. Until then {entry.name} is the copy in this package: {entry.embedded}, which scores "
            f"{scored['mean']:.3g} ± {scored['stderr']:.2g}; {entry.revision} scores {entry.mean:.3g}"
        )
        return _embedded(entry)


def _embedded(entry: Entry) -> Found:
    return Found(entry.folder, f"{entry.name} ({entry.embedded}, embedded)")


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=5)


def _unknown(name: str) -> HubError:
    if Path(name).exists():
        return HubError(f"{name!r} is no short name of the zoo; for the folder of that name write ./{name}")
    near = difflib.get_close_matches(name, entries())
    guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return HubError(
        f"no agent is called {name!r}.{guess} Write a short name ({', '.join(entries())}), a repository (owner/name), "
        "or a path that begins with ./"
    )
