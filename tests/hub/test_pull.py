"""Agents from a Hub: cold, warm, by branch, tag and commit; and all that may go wrong on the way."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jedi_sdk import JEDI, CheckpointError
from jedi_sdk.checkpoint import PUBLIC_FILES
from jedi_sdk.envs import make_envs
from jedi_sdk.hub import Hub, HubError, pull, resolve
from jedi_sdk.hub.client import discard
from jedi_sdk.hub.errors import UnreachableError, in_our_words

from .server import Fault, HubServer, Repo

NOBODY = "http://127.0.0.1:9"  # the port of "discard": nobody listens


def load(hub: Hub, name: str = "me/agent") -> JEDI:
    place: dict[str, Any] = {"endpoint": hub.endpoint, "token": hub.token, "cache_dir": hub.cache_dir}
    return JEDI.from_pretrained(name, device="cpu", local_files_only=hub.local_files_only, **place)


def offline(hub: Hub) -> Hub:
    return replace(hub, endpoint=NOBODY)


def test_cold_then_warm_then_offline(published: Repo, server: HubServer, hub: Hub, agent: JEDI) -> None:
    frames, _ = make_envs("catch", 6).reset(seed=0)
    wanted, _ = agent.predict(frames)
    np.testing.assert_array_equal(load(hub).predict(frames)[0], wanted)
    assert any("GET /me/agent/resolve" in request for request in server.seen)
    assert not any("secret" in request for request in server.seen), "only an agent's files are asked for"
    server.seen.clear()
    np.testing.assert_array_equal(load(hub).predict(frames)[0], wanted)
    assert len(server.seen) == 1, "warm: one question, which commit is the newest"
    np.testing.assert_array_equal(load(offline(hub)).predict(frames)[0], wanted)
    np.testing.assert_array_equal(load(replace(hub, local_files_only=True)).predict(frames)[0], wanted)
    assert len(server.seen) == 1


@pytest.mark.parametrize("revision", ["dev", "v1", "sha"])
def test_by_branch_tag_and_commit(published: Repo, hub: Hub, exported: Path, revision: str) -> None:
    named = published.refs["v1"] if revision == "sha" else revision
    found = resolve("me/agent", named, hub)
    assert (found.folder / "README.md").read_bytes() == (exported / "README.md").read_bytes()
    assert (resolve("me/agent", None, hub).folder / "README.md").read_bytes() == b"newer"
    assert str(found) == f"me/agent ({named})"
    assert not found.mine


def test_to_a_folder_of_ones_own(published: Repo, hub: Hub, exported: Path, tmp_path: Path) -> None:
    folder = pull("me/agent", tmp_path / "theirs", "v1", hub)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in exported.iterdir()
    }
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert {path.name for path in folder.iterdir()} <= set(PUBLIC_FILES)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        pull("me/agent", tmp_path / "full", "v1", hub)


def test_a_private_one_wants_a_token(published: Repo, hub: Hub) -> None:
    published.private = True
    with pytest.raises(HubError, match=r"no me/agent at .*, or it is not open to you.*hf auth login"):
        load(hub)
    with pytest.raises(HubError, match="token"):
        load(replace(hub, token="hf_bad"))
    assert load(replace(hub, token="hf_good")).config.preset == "tiny"


@pytest.mark.parametrize(
    ("name", "revision", "said"),
    [
        ("me/nothing", None, r"there is no me/nothing at .*There is no folder me/nothing here"),
        ("me/agent", "v9", r"has no revision 'v9': leave revision out"),
        ("me/agent..", None, r"write it as owner/name"),
    ],
)
def test_what_is_not_there(published: Repo, hub: Hub, name: str, revision: str | None, said: str) -> None:
    with pytest.raises(HubError, match=said):
        resolve(name, revision, hub)


def test_a_repository_of_something_else(server: HubServer, hub: Hub) -> None:
    server.repos["me/book"] = Repo()
    server.repos["me/book"].commit({"README.md": b"a book"})
    with pytest.raises(HubError, match=r"lacks config\.json, model\.safetensors, manifest\.json"):
        load(hub, "me/book")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("GET /api", status=401), "the token is missing or wrong|not open to you"),
        (Fault("GET /api", status=403), "does not permit"),
        (Fault("GET /api", status=429), "too many requests"),
        (Fault("GET /api", status=500), "answered 500 .* try again later, or name a mirror"),
        (Fault("(GET|HEAD) /me/agent/resolve/.*/model", status=404), "has lost a file"),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_an_answer_that_is_an_error(published: Repo, server: HubServer, hub: Hub, fault: Fault, said: str) -> None:
    server.faults = [fault]
    with pytest.raises(HubError, match=said):
        load(hub)
    server.faults = []
    assert load(hub).config.preset == "tiny"


def test_a_line_that_is_cut_is_taken_up_again(published: Repo, server: HubServer, hub: Hub) -> None:
    """By huggingface_hub itself, or, by its oldest versions, when asked once more."""
    server.faults = [Fault("GET /me/agent/resolve/.*/model", cut_after=1_000, times=1)]
    with contextlib.suppress(HubError):
        load(hub)
    assert load(hub).config.preset == "tiny"
    assert sum(bool(re.match("GET .*/resolve/.*/model", request)) for request in server.seen) == 2


def test_a_line_that_stays_cut(published: Repo, server: HubServer, hub: Hub) -> None:
    server.faults = [Fault("GET /me/agent/resolve/.*/model", cut_after=0)]
    with pytest.raises(HubError, match="Three things to try"):
        load(hub)
    with pytest.raises(HubError):
        load(offline(hub))  # a part of it is in the cache, and that is not the agent
    server.faults = []
    assert load(hub).config.preset == "tiny"


def test_content_that_is_not_what_was_pushed(published: Repo, server: HubServer, hub: Hub) -> None:
    server.faults = [Fault("GET /me/agent/resolve/.*/model", flip=True, times=1)]
    with pytest.raises(HubError, match=r"model\.safetensors is damaged .* removed; try again"):
        load(hub)
    with pytest.raises(HubError):
        load(offline(hub))
    assert load(hub).config.preset == "tiny"


def test_a_part_is_not_thrown_away(published: Repo, server: HubServer, hub: Hub) -> None:
    whole = published.commits[published.refs["main"]]
    part = {name: data for name, data in whole.items() if name != "starts.safetensors"}
    published.commit(part)
    with pytest.raises(UnreachableError, match=r"lacks starts\.safetensors: .*only a part of it"):
        load(hub)
    published.commit(whole)
    server.seen.clear()
    assert load(hub).config.preset == "tiny"
    assert not any(re.match("GET .*/resolve/.*/model", request) for request in server.seen), "it is here already"


def test_only_what_is_the_caches_own_is_removed(published: Repo, hub: Hub, tmp_path: Path) -> None:
    folder = resolve("me/agent", None, hub).folder
    (tmp_path / "thesis.tex").write_text("years of work")
    (folder / "video.mp4").unlink()
    for name in ("video.mp4", "thesis.tex"):
        (folder / name).symlink_to(tmp_path / "thesis.tex")
    (folder / "model.safetensors").resolve().write_bytes(b"damaged")
    with pytest.raises(HubError, match=r"model\.safetensors is damaged .* removed; try again"):
        load(replace(hub, local_files_only=True))
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_what_cannot_be_removed_is_said(published: Repo, hub: Hub) -> None:
    folder = resolve("me/agent", None, hub).folder
    (folder / "video.mp4").unlink()
    (folder / "video.mp4").mkdir()
    with pytest.raises(HubError, match=r"cannot be removed .*: delete that folder, or name another cache"):
        discard(folder)


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError()], ids=repr)
def test_a_line_that_the_system_cuts(error: OSError) -> None:
    with (
        pytest.raises(UnreachableError, match="http://there cannot be reached"),
        in_our_words("a/b", None, "http://there"),
    ):
        raise error


def test_another_revision_than_the_caches_is_what_is_missing(published: Repo, hub: Hub) -> None:
    load(hub)
    with pytest.raises(HubError, match="me/agent@v2 is not in the cache"):
        load(replace(hub, local_files_only=True), "me/agent@v2")


def test_nobody_answers(hub: Hub) -> None:
    with pytest.raises(HubError, match=r"cannot be reached.*Three things to try: connect .* mirror.*jedi pull"):
        load(offline(hub))
    with pytest.raises(HubError, match="may not be asked"):
        load(replace(hub, local_files_only=True))


# -- several processes ------------------------------------------------------------------------------------------------


def start_pull(hub: Hub, **options: object) -> subprocess.Popen[str]:
    """The command line, with ``hub.cache_dir`` as its cache."""
    environment = {**os.environ, "HF_HUB_CACHE": str(hub.cache_dir), "OMP_NUM_THREADS": "1", "COLUMNS": "300"}
    command = [sys.executable, "-m", "jedi_cli", "pull", "me/agent", "--endpoint", str(hub.endpoint)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes, **options)  # type: ignore[call-overload]


def test_two_at_once(published: Repo, hub: Hub) -> None:
    both = [start_pull(hub), start_pull(hub)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "jedi eval me/agent" in out
    assert load(offline(hub)).config.preset == "tiny"


def test_killed_in_the_middle(published: Repo, server: HubServer, hub: Hub) -> None:
    server.faults = [Fault("GET /me/agent/resolve/.*/model", stall_after=1_000, times=1)]
    process = start_pull(hub)
    give_up = time.monotonic() + 60
    while not any(re.match("GET .*/resolve/.*/model", request) for request in server.seen):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    with pytest.raises(HubError):
        load(offline(hub))
    assert load(hub).config.preset == "tiny"


def test_an_agent_that_lies_there_is_not_replaced(published: Repo, hub: Hub, tmp_path: Path) -> None:
    folder = pull("me/agent", tmp_path / "theirs", "v1", hub)
    (folder / "README.md").write_text("my own words")
    with pytest.raises(HubError, match=r"theirs holds an agent or a policy already: name a new folder"):
        pull("me/agent", folder, "v1", hub)
    assert (folder / "README.md").read_text() == "my own words"
