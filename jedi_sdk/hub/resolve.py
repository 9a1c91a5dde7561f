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
MODELS = "models--"  # so a repository's folder in the cache begins, with -- where its name has /


@dataclass(frozen=True)
class Found:
    """A checkpoint ``folder``; ``title`` names one that was not given as a path: ``catch (v1, embedded)``, and
    ``pinned`` is what to write for just these files, or for the repository that they are a part of: ``catch@v1``."""

    folder: Path
    title: str | None = None
    pinned: str | None = None

    def __str__(self) -> str:
        return self.title or str(self.folder)

    @property
    def name(self) -> str:
        """What others would write for it, or the name of its own folder: of the run, where it lies in one."""
        return self.pinned or (self.run_dir or self._whole).name

    @property
    def mine(self) -> bool:
        """May be written to."""
        return self.title is None

    @property
    def run_dir(self) -> Path | None:
        """The run that it lies in, if that is so and one's own."""
        folder = self._whole
        return folder.parent.parent if self.mine and folder.parent.name == "checkpoints" else None

    @property
    def _whole(self) -> Path:
        """``.`` has no name and no parent."""
        return Path(os.path.abspath(self.folder))


def resolve(name: str | Path | Found, revision: str | None = None, hub: Hub | None = None) -> Found:
    """Which agent is meant.

    A path contains a separator and exists, or begins with ``.``, ``~`` or ``/``; a ``Path`` is always one. Anything
    else is a short name of the zoo, or ``owner/name`` on the Hub. ``revision``: a branch, tag or commit there, which
    may also stand behind the name, ``owner/name@v1``. What was found already stays what it is.

    Raises:
        HubError: no such agent, or it could not be fetched; says what to type.
        CheckpointError: a path that holds none.
    """
    if isinstance(name, Found):
        return name
    try:
        return _own(Path(name), revision) if is_path(name) else published(str(name), revision, hub)
    except OSError as error:
        raise HubError(f"{str(name)!r:.80} cannot be looked for ({error.strerror}): check the name") from error


def published(name: str, revision: str | None = None, hub: Hub | None = None) -> Found:
    """The same for what others know too, a short name or ``owner/name``; a folder of that name is never meant."""
    name, revision = split_revision(name, revision)
    if name in entries():
        return _of_the_zoo(entries()[name], revision, hub or Hub())
    if REPO.fullmatch(name):
        return _of_the_hub(name, revision, hub or Hub())
    raise _unknown(name)


def split_revision(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """``owner/name@v1`` as its two parts. Raises ``HubError`` where that names no revision, or a second one."""
    name, at, behind = name.partition("@")
    if at and revision is not None:
        raise HubError(
            f"{name}@{behind} names a revision, and revision={revision!r} another time: leave one of them out"
        )
    if at and not behind:
        raise HubError(f"{name}@ names no revision: write a branch, tag or commit behind it, or leave out the @")
    return name, behind or revision


def is_path(name: str | Path) -> bool:
    """Whether ``name`` is read as a path; ``owner/name`` is one where such a folder exists."""
    if isinstance(name, Path) or name.startswith((".", "~", "/", os.sep)):
        return True
    repo = name.partition("@")[0]
    return ("/" in name or os.sep in name) and (Path(name).exists() or not REPO.fullmatch(repo))


def _own(path: Path, revision: str | None) -> Found:
    if revision is not None:
        raise HubError(f"revision= chooses a version of a repository, and {path} is a folder: leave one of them out")
    folder = checkpoint.find(_expanded(path))
    return _cached(folder) or Found(folder)


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise HubError(f"{path}: there is no such home folder ({error}): write the whole path") from error


def _cached(folder: Path) -> Found | None:
    """What a folder in a Hub's cache is; None for others. Its path does not make it one's own."""
    there = folder.resolve()
    for place in (there, *there.parents):
        if place.parent.name == "snapshots" and place.parents[1].name.startswith(MODELS):
            repo = place.parents[1].name.removeprefix(MODELS).replace("--", "/")
            return Found(folder, f"{repo} ({place.name[:8]})", f"{repo}@{place.name}")
    return None


def _of_the_hub(repo: str, revision: str | None, hub: Hub) -> Found:
    try:
        folder = hub.fetch(repo, revision)
    except (NoSuchRepoError, UnreachableError) as error:
        here = f"There is a folder {repo} here: for that, write it without @{revision}"
        nowhere = f"There is no folder {repo} here; a path that is to be found begins with ./"
        raise type(error)(f"{error}. ({here if Path(repo).exists() else nowhere})") from error
    return Found(folder, f"{repo} ({revision or folder.name[:8]})", f"{repo}@{folder.name}")


def _of_the_zoo(entry: Entry, revision: str | None, hub: Hub) -> Found:
    org = os.environ.get("JEDI_HUB_ORG") or ORG
    if org == ORG and revision is not None and revision == entry.embedded:
        return _embedded(entry)
    if org != ORG or revision not in (None, entry.revision):
        repo = f"{org}/{entry.repo.partition('/')[2]}"
        by = "another revision" if org == ORG else "JEDI_HUB_ORG"
        _warn(
            f"{entry.name}: {by} turns the pin off; loading {repo} at {revision or 'its newest'} and not "
            f"{entry.revision}, which this jedi-sdk was tested with"
        )
        return _of_the_hub(repo, revision, hub)
    if entry.embedded == entry.revision:
        return _embedded(entry)
    try:
        return Found(hub.fetch_pinned(entry), f"{entry.name} ({entry.revision})", f"{entry.name}@{entry.revision}")
    except UnreachableError as error:
        if entry.embedded is None or revision is not None:
            raise
        scored = read_results(entry.folder)
        _warn(
            f"{error}. Until then {entry.name} is the copy in this package: {entry.embedded}, which scores "
            f"{scored['mean']:.3g} ± {scored['stderr']:.2g}; {entry.revision} scores {entry.mean:.3g}"
        )
        return _embedded(entry)


def _embedded(entry: Entry) -> Found:
    return Found(entry.folder, f"{entry.name} ({entry.embedded}, embedded)", f"{entry.name}@{entry.embedded}")


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=6)


def _unknown(name: str) -> HubError:
    if Path(name).exists():
        return HubError(f"{name!r} is no short name of the zoo; for the folder of that name write ./{name}")
    near = difflib.get_close_matches(name, entries())
    guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return HubError(
        f"no agent is called {name!r}.{guess} Write a short name ({', '.join(entries())}), a repository (owner/name), "
        "or a path that begins with ./"
    )
