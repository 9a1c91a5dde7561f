"""Agents to a Hub: only what may leave the machine, nothing twice, with a card that says what is known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from jedi_sdk import JEDI, CheckpointError
from jedi_sdk.checkpoint import PUBLIC_FILES
from jedi_sdk.hub import Hub, HubError, push

from .server import HubServer

UPLOADS = ("commit", "lfs")


def uploads(server: HubServer) -> list[str]:
    return [request for request in server.seen if any(word in request.rpartition("/api/")[2] for word in UPLOADS)]


@pytest.fixture
def writer(hub: Hub) -> Hub:
    return replace(hub, token="hf_good")


def test_a_new_repository_and_back(server: HubServer, writer: Hub, agent: JEDI) -> None:
    """From a run, which is exported on the way: no training state leaves it."""
    assert agent.origin is not None
    assert (agent.origin.folder / "trainer.pt").exists()
    url = agent.push_to_hub("me/mine", endpoint=writer.endpoint, token=writer.token, episodes=4, progress=False)
    repo = server.repos["me/mine"]
    assert url == f"{server.endpoint}/me/mine/commit/{repo.refs['main']}"
    files = repo.commits[repo.refs["main"]]
    assert set(files) - {".gitattributes"} == set(PUBLIC_FILES)
    assert not repo.private
    options = {"endpoint": writer.endpoint, "cache_dir": writer.cache_dir}
    back = JEDI.from_pretrained("me/mine", device="cpu", **options)
    assert back.evaluate(4, progress=False).scores == json.loads(files["results.json"])["scores"]
    assert b'from_pretrained("me/mine")' in files["README.md"]


def test_nothing_is_uploaded_twice(server: HubServer, writer: Hub, exported: Path) -> None:
    first = push(exported, "me/twice", hub=writer)
    assert len(uploads(server)) == 1
    server.seen.clear()
    assert push(exported, "me/twice", hub=writer) == first
    assert uploads(server) == []


def test_what_is_to_be_private_is_not_sent_to_the_public(server: HubServer, writer: Hub, exported: Path) -> None:
    push(exported, "me/open", hub=writer)
    server.seen.clear()
    with pytest.raises(HubError, match=r"me/open is public already, and private=True.*name another repository"):
        push(exported, "me/open", private=True, hub=writer)
    assert uploads(server) == []
    push(exported, "me/closed", private=True, hub=writer)
    push(exported, "me/closed", private=True, hub=writer)
    assert server.repos["me/closed"].private


def test_branches_and_tags(server: HubServer, writer: Hub, exported: Path, tmp_path: Path) -> None:
    push(exported, "me/many", private=True, tag="v1", hub=writer)
    repo = server.repos["me/many"]
    assert repo.private
    assert repo.refs["v1"] == repo.refs["main"]
    edited = shutil.copytree(exported, tmp_path / exported.name)
    (edited / "README.md").write_text("# My own words, about ./mine\n")
    push(edited, "me/many", revision="dev", hub=writer)
    assert repo.refs["dev"] != repo.refs["main"]
    assert repo.commits[repo.refs["dev"]]["README.md"] == b"# My own words, about me/many\n"
    with pytest.raises(HubError, match=r"409 .*there already; take another name"):
        push(exported, "me/many", tag="v1", hub=writer)


def test_the_card_is_one_that_the_hub_reads(server: HubServer, writer: Hub, exported: Path) -> None:
    push(exported, "me/card", hub=writer)
    repo = server.repos["me/card"]
    text = repo.commits[repo.refs["main"]]["README.md"].decode()
    results = json.loads((exported / "results.json").read_text())
    card = ModelCard(text).data.to_dict()
    assert (card["license"], card["library_name"]) == ("mit", "jedi-sdk")
    (model,) = card["model-index"]
    (measured,) = model["results"]
    assert measured["dataset"]["name"] == "catch"
    assert measured["metrics"][0]["value"] == f"{results['mean']:.2f} +/- {results['stderr']:.2f}"
    for promised in ('from_pretrained("me/card")', "video.mp4", "learning_curve.png", "2605.13013", "MIT"):
        assert promised in text
    assert "jedi eval me/card --episodes 10 --seed 1" in text
    assert "jedi train catch --preset tiny --objective default --seed 1\n" in text


def test_what_an_earlier_push_left_is_removed(
    server: HubServer, writer: Hub, hub: Hub, agent: JEDI, exported: Path, tmp_path: Path
) -> None:
    """Files of JEDI alone: a stale probe would make the repository one that cannot be loaded."""
    push(exported, "me/again", hub=writer)
    repo = server.repos["me/again"]
    repo.commit(
        {**repo.commits[repo.refs["main"]], "probe.safetensors": b"old", "agent/config.json": b"", "a.txt": b""}
    )
    bare = agent.save_pretrained(tmp_path / "bare")
    (bare / "probe.safetensors").unlink()
    manifest = json.loads((bare / "manifest.json").read_text())
    del manifest["probe.safetensors"]
    (bare / "manifest.json").write_text(json.dumps(manifest))
    push(bare, "me/again", hub=writer)
    sent = {"config.json", "model.safetensors", "starts.safetensors", "manifest.json"}
    assert set(repo.commits[repo.refs["main"]]) == sent | {".gitattributes", "a.txt"}
    options = {"endpoint": hub.endpoint, "cache_dir": hub.cache_dir}
    assert JEDI.from_pretrained("me/again", device="cpu", **options).probe is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["README.md", "results.json", "video.mp4", "learning_curve.png"])
def test_what_lies_elsewhere_is_not_published(
    server: HubServer, writer: Hub, exported: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret").write_text("{}")
    mine = shutil.copytree(exported, tmp_path / "mine")
    (mine / name).unlink()
    (mine / name).symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match=f"{name} is a link out of its folder"):
        push(mine, "me/linked", hub=writer)
    assert server.seen == []


def test_the_name_in_the_card_is_the_folders_and_no_other(
    server: HubServer, writer: Hub, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shutil.copytree(exported, tmp_path / "mine")
    (mine / "README.md").write_text("Load ./mine, not ./mine-2, ../mine or ./mine.old; `./mine` is it. See ./mine.\n")
    monkeypatch.chdir(mine)
    push(Path("."), "me/here", hub=writer)
    repo = server.repos["me/here"]
    card = repo.commits[repo.refs["main"]]["README.md"].decode()
    assert card == "Load me/here, not ./mine-2, ../mine or ./mine.old; `me/here` is it. See me/here.\n"


@pytest.mark.parametrize(("token", "said"), [(None, "log in|not open to you"), ("hf_bad", "token|not open to you")])
def test_without_the_right_to_write(hub: Hub, exported: Path, token: str | None, said: str) -> None:
    with pytest.raises(HubError, match=said):
        push(exported, "me/no", hub=replace(hub, token=token))


def test_nobody_answers(hub: Hub, exported: Path) -> None:
    with pytest.raises(HubError, match=r"cannot be reached, so me/no is not what you have: connect"):
        push(exported, "me/no", hub=replace(hub, endpoint="http://127.0.0.1:9", token="hf_good"))


def test_a_card_that_was_edited_into_nonsense(server: HubServer, hub: Hub, exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_text("---\nlicense: [\n---\n")
    server.wrong_yaml = "license is not closed"
    with pytest.raises(HubError, match=r"(?s)README\.md.*license is not closed.*between the two ---"):
        push(tmp_path / "mine", "me/wrong", hub=replace(hub, token="hf_good"))
    assert uploads(server) == []


def test_a_folder_that_was_renamed_is_known_by_its_old_name(
    server: HubServer, writer: Hub, exported: Path, tmp_path: Path
) -> None:
    renamed = shutil.copytree(exported, tmp_path / "second")
    push(renamed, "me/renamed", hub=writer)
    repo = server.repos["me/renamed"]
    card = repo.commits[repo.refs["main"]]["README.md"].decode()
    assert "./mine" not in card
    assert 'from_pretrained("me/renamed")' in card


def test_a_card_in_another_encoding(writer: Hub, exported: Path, tmp_path: Path) -> None:
    edited = shutil.copytree(exported, tmp_path / "edited")
    (edited / "README.md").write_bytes("für alle".encode("latin-1"))
    with pytest.raises(HubError, match=r"README.md is not UTF-8 .*save it as UTF-8 and push again"):
        push(edited, "me/edited", hub=writer)


def test_a_name_that_cannot_be_is_refused_before_the_games(agent: JEDI) -> None:
    with pytest.raises(HubError, match=r"'badname' cannot be a repository's name: write it as owner/name"):
        agent.push_to_hub("badname", episodes=1_000_000, progress=False)


def test_names_with_a_space_are_quoted_where_they_are_typed(exported: Path, tmp_path: Path) -> None:
    mine = JEDI.from_pretrained(exported, device="cpu").export(tmp_path / "my agent", episodes=1, progress=False)
    card = (mine / "README.md").read_text()
    assert "jedi eval './my agent' --episodes 1" in card
    assert "(one game: error unknown)" in card
