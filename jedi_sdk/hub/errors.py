"""What can go wrong between here and the Hub, each in one sentence that says what to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class HubError(RuntimeError):
    """An agent that cannot be found, fetched or published: says why, and what to try."""


class UnreachableError(HubError):
    """Nobody answers, or nobody may be asked."""


class NoSuchRepoError(HubError):
    """The Hub knows none of that name, or does not say so."""


@contextmanager
def in_our_words(repo: str, revision: str | None, endpoint: str) -> Iterator[None]:
    """Turns what huggingface_hub raises about ``repo`` into a ``HubError``; a bug stays what it is."""
    try:
        yield
    except Exception as error:
        words = _words(_cause(error), repo, revision, endpoint)
        if words is None:
            raise
        raise words from error


def _cause(error: BaseException) -> BaseException:
    """What kept the client from asking the Hub: it raises that the file is not in the cache, whatever it was."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _words(error: BaseException, repo: str, revision: str | None, endpoint: str) -> HubError | None:
    from huggingface_hub import errors

    match error:
        case errors.RevisionNotFoundError():
            return HubError(
                f"{repo} has no revision {revision!r}: leave revision out for the newest, or take a branch, tag or "
                f"commit from {endpoint}/{repo}/commits"
            )
        case errors.RepositoryNotFoundError():
            return NoSuchRepoError(
                f"there is no {repo} at {endpoint}, or it is not open to you: check the spelling, ask its owner for "
                "access, or log in (`hf auth login`, HF_TOKEN, or token=)"
            )
        case errors.EntryNotFoundError() if not isinstance(error, errors.LocalEntryNotFoundError):
            return HubError(f"{repo} has lost a file that its list names: try again, or pull another revision")
        case errors.HFValidationError():
            return HubError(f"{repo!r} cannot be a repository's name: write it as owner/name")
        case errors.HfHubHTTPError():
            return _answered(error.response.status_code, error.server_message, repo, endpoint)
        case ValueError() if "README.md" in str(error):
            return HubError(f"{repo}: {error}. Put right the lines between the two --- at its beginning")
        case errors.LocalEntryNotFoundError() | errors.OfflineModeIsEnabled():
            return UnreachableError("the Hub may not be asked (offline)")
    if _of_the_network(error):
        return UnreachableError(f"{endpoint} cannot be reached")
    if isinstance(error, OSError):
        return HubError(
            f"{repo}: {error}. Try again; if the disk is full or may not be written to, name another place for the "
            "cache, cache_dir= or HF_HOME"
        )
    return None


def _answered(status: int, said: str | None, repo: str, endpoint: str) -> HubError:
    advice = {
        401: "the token is missing or wrong; log in again (`hf auth login`, HF_TOKEN, or token=)",
        403: "the token does not permit this; make one that may write, or take a repository of your own",
        409: "it is there already; take another name",
        429: "too many requests; wait some minutes, or log in, which allows more",
    }.get(status, "try again later, or name a mirror, endpoint= or HF_ENDPOINT")
    return HubError(f"{endpoint} answered {status} about {repo}{f' ({said})' if said else ''}: {advice}")


def _of_the_network(error: BaseException) -> bool:
    """huggingface_hub 1.x speaks through httpx, 2.x through httpx2; neither is a dependency of our own."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return any(kind.__module__.partition(".")[0] in ("httpx", "httpx2") for kind in type(error).__mro__)
