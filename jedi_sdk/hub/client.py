"""What is fetched from a Hub: whole, with its checksums right, or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import CheckpointError

from .errors import HubError, UnreachableError, in_our_words
from .zoo import Entry

HUGGING_FACE = "https://huggingface.co"
WITHOUT_A_NETWORK = (
    "Three things to try: connect this machine and repeat; name a mirror, endpoint= or HF_ENDPOINT; or run "
    "`jedi pull` where there is a network, with --to, and load that folder by its path"
)


@dataclass(frozen=True)
class Hub:
    """Whom to ask, as whom, and where to keep what comes. None: as huggingface_hub would."""

    endpoint: str | None = None
    token: str | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False

    @property
    def address(self) -> str:
        """Read at every call; huggingface_hub reads HF_ENDPOINT once."""
        return (self.endpoint or os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")

    def fetch(self, repo: str, revision: str | None = None) -> Path:
        """The repository's public files, in the cache. An interrupted download is never taken for one."""
        folder = self._snapshot(repo, revision, self.local_files_only)
        try:
            checkpoint.verify(folder, checkpoint.kind_of(folder))
        except CheckpointError as error:
            raise self._refused(folder, repo, error) from error
        return folder

    def fetch_pinned(self, entry: Entry) -> Path:
        """A pinned revision never changes: where the cache has it, nobody is asked."""
        cached = self._cached(entry)
        if cached is not None:
            return cached
        folder = self._snapshot(entry.repo, entry.revision, self.local_files_only)
        try:
            entry.check(folder)
        except UnreachableError:  # a part, which the next call completes
            raise
        except HubError:
            discard(folder)
            raise
        return folder

    def place_of(self, entry: Entry) -> str:
        """Where its pinned revision is now: embedded, cached or remote."""
        if entry.embedded == entry.revision:
            return "embedded"
        return "remote" if self._cached(entry) is None else "cached"

    def _cached(self, entry: Entry) -> Path | None:
        try:
            folder = self._snapshot(entry.repo, entry.revision, local_files_only=True)
            entry.check(folder)
        except (HubError, CheckpointError):
            return None
        return folder

    def _snapshot(self, repo: str, revision: str | None, local_files_only: bool) -> Path:
        from huggingface_hub import snapshot_download

        options: dict[str, Any] = {"cache_dir": self.cache_dir, "endpoint": self.address, "token": self.token}
        wanted = [*checkpoint.AGENT.public, *checkpoint.POLICY_FOLDER.public]
        options |= {"local_files_only": local_files_only, "allow_patterns": wanted}
        try:
            with in_our_words(repo, revision, self.address):
                return Path(snapshot_download(repo, revision=revision, library_name="jedi-sdk", **options))
        except UnreachableError as error:
            at = f"@{revision}" if revision else ""
            raise UnreachableError(f"{error}, and {repo}{at} is not in the cache. {WITHOUT_A_NETWORK}") from error

    def _refused(self, folder: Path, repo: str, error: CheckpointError) -> HubError:
        missing = checkpoint.missing(folder, checkpoint.kind_of(folder))
        if missing:
            return UnreachableError(
                f"{repo} lacks {', '.join(missing)}: either it is no agent of JEDI, or only a part of it has been "
                "fetched so far. Connect this machine and try again"
            )
        discard(folder)
        return HubError(f"{repo}: {error} Its copy in the cache was removed; try again, or ask its owner")


def discard(folder: Path) -> None:
    """Removes a snapshot's files and what they link to in the cache, so that the next pull fetches them anew."""
    try:
        for name in checkpoint.kind_of(folder).public:
            _remove(folder / name)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other, until Python 3.13
        raise HubError(
            f"{folder} holds files that are not what they should be, and cannot be removed ({error}): delete that "
            "folder, or name another cache, cache_dir= or HF_HOME"
        ) from error


def _remove(path: Path) -> None:
    if path.parent.is_symlink():
        return
    if checkpoint.inside(path):
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
