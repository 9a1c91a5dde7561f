"""The public folder of an agent, or of a policy for its latents, sent to a repository of the Hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint

from .client import Hub
from .errors import HubError, UnreachableError, in_our_words
from .policy_card import policy_card
from .resolve import REPO
from .results import read_results

Files = dict[str, Path | bytes]
OURS = {*checkpoint.AGENT.public, *checkpoint.POLICY_FOLDER.public}


def push(
    folder: Path,
    repo: str,
    private: bool | None = None,
    revision: str | None = None,
    tag: str | None = None,
    hub: Hub | None = None,
) -> str:
    """Makes ``repo`` if need be and uploads what changed; the commit's address.

    ``private`` holds for a new repository; one that is public is refused. ``revision`` is a branch, made if need be;
    ``tag`` names what was pushed, for good. Only the files that ``checkpoint.kind_of(folder).public`` names leave
    this machine; those of an earlier push that ``folder`` lacks are removed. Raises ``HubError``, and
    ``CheckpointError`` where the folder is not whole or has links out of it.
    """
    refuse_other_names(repo)
    checkpoint.verify(folder, checkpoint.kind_of(folder))
    files = _files(folder, repo)
    try:
        with in_our_words(repo, revision, (hub or Hub()).address):
            return _send(files, repo, private, revision, tag, hub or Hub())
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}, so {repo} is not what you have: connect this machine and repeat, or name a mirror, endpoint= or "
            "HF_ENDPOINT"
        ) from error


def refuse_other_names(repo: str) -> None:
    """Raises ``HubError`` for what cannot be a repository's name."""
    if not REPO.fullmatch(repo):
        raise HubError(f"{repo!r} cannot be a repository's name: write it as owner/name")


def _files(folder: Path, repo: str) -> Files:
    files = {name: _content(folder, name, repo) for name in checkpoint.public(folder)}
    if checkpoint.kind_of(folder) is checkpoint.POLICY_FOLDER and checkpoint.README not in files:
        files[checkpoint.README] = policy_card(folder, repo).encode()
    return files


def _content(folder: Path, name: str, repo: str) -> Path | bytes:
    """The card of an exported folder names the folder as it was called then; on the Hub it must name the repository."""
    if name not in (checkpoint.README, checkpoint.RESULTS):
        return folder / name
    names = {folder.resolve().name, _exported_as(folder)}
    local = rf"(?<![\w.~/-])\./({'|'.join(map(re.escape, names))})(?![\w-]|[./][\w.-])"  # not ./mine in ./mine-2
    try:
        return re.sub(local, repo, (folder / name).read_text(encoding="utf-8")).encode()
    except UnicodeDecodeError as error:
        raise HubError(f"{folder / name} is not UTF-8 ({error}): save it as UTF-8 and push again") from error


def _exported_as(folder: Path) -> str:
    results = read_results(folder) if (folder / checkpoint.RESULTS).exists() else {}
    return str(results.get("checkpoint", "")).removeprefix("./") or folder.resolve().name


def _send(files: Files, repo: str, private: bool | None, revision: str | None, tag: str | None, hub: Hub) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(endpoint=hub.address, token=hub.token, library_name="jedi-sdk")
    api.create_repo(repo, private=private, exist_ok=True)
    if private and not api.model_info(repo).private:
        raise HubError(
            f"{repo} is public already, and private=True holds for a new repository: nothing was sent. Make it private "
            "in its settings on the Hub first, or name another repository"
        )
    if revision is not None:
        api.create_branch(repo, branch=revision, exist_ok=True)
    stale = OURS.intersection(api.list_repo_files(repo, revision=revision)) - files.keys()
    changes: list[Any] = [CommitOperationAdd(name, content) for name, content in files.items()]
    changes += [CommitOperationDelete(name) for name in sorted(stale)]
    commit = api.create_commit(repo, changes, commit_message=_message(files), revision=revision)
    if tag is not None:
        api.create_tag(repo, tag=tag, revision=commit.oid)
    return commit.commit_url


def _message(files: Files) -> str:
    kind = checkpoint.POLICY_FOLDER if checkpoint.POLICY in files else checkpoint.AGENT
    return f"JEDI: {kind.title}" + (", measured" if checkpoint.RESULTS in files else "")
