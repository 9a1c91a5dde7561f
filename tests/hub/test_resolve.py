"""What a name means: a path, a short name, or a repository; and what is said when it is none of them."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from jedi_sdk import JEDI, CheckpointError, checkpoint
from jedi_sdk.hub import Entry, Hub, HubError, pull, resolve, zoo
from jedi_sdk.hub.commands import training_command
from jedi_sdk.hub.register import entry_of

from .server import Fault, HubServer, Repo

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def entry(exported: Path, server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A zoo of one agent, ``tiny``: v1 is embedded and pinned, and on the Hub as a tag."""
    monkeypatch.setattr(zoo, "EMBEDDED", tmp_path / "zoo")
    monkeypatch.setattr("jedi_sdk.hub.register.EMBEDDED", tmp_path / "zoo")
    monkeypatch.setattr(zoo, "LIST", tmp_path / "zoo.json")
    shutil.copytree(exported, tmp_path / "zoo" / "tiny")
    server.repos["jedi-sdk/tiny"] = Repo()
    publish(server, exported, "v1")
    return listed(entry_of("tiny", "v1"))


def listed(entry: Entry) -> Entry:
    values = asdict(entry)
    del values["name"]
    zoo.LIST.write_text(json.dumps({entry.name: values}))
    return entry


def publish(server: HubServer, folder: Path, tag: str, name: str = "jedi-sdk/tiny") -> None:
    repo = server.repos.setdefault(name, Repo())
    repo.refs[tag] = repo.commit({path.name: path.read_bytes() for path in folder.iterdir()})


@pytest.fixture
def newer(entry: Entry, agent: JEDI, server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The same zoo, with v2 pinned, which is on the Hub alone."""
    agent.export(tmp_path / "newer" / "tiny", episodes=4, half=True, progress=False)
    publish(server, tmp_path / "newer" / "tiny", "v2")
    monkeypatch.setattr("jedi_sdk.hub.register.EMBEDDED", tmp_path / "newer")
    return listed(replace(entry_of("tiny", "v2"), embedded="v1"))


# -- short names ------------------------------------------------------------------------------------------------------


def test_the_embedded_copy_asks_nobody(entry: Entry, server: HubServer, hub: Hub) -> None:
    found = resolve("tiny", None, hub)
    assert found.folder == entry.folder
    assert str(found) == "tiny (v1, embedded)"
    assert hub.place_of(entry) == "embedded"
    assert server.seen == []


def test_a_folder_does_not_hijack_a_short_name(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(entry.folder, tmp_path / "here" / "tiny")
    monkeypatch.chdir(tmp_path / "here")
    assert resolve("tiny").folder == entry.folder
    assert resolve("./tiny").folder == Path("tiny")
    assert resolve(Path("tiny")).mine


def test_a_newer_revision_comes_from_the_hub_once(newer: Entry, server: HubServer, hub: Hub) -> None:
    assert hub.place_of(newer) == "remote"
    assert str(resolve("tiny", None, hub)) == "tiny (v2)"
    assert hub.place_of(newer) == "cached"
    server.seen.clear()
    assert str(resolve("tiny", None, hub)) == "tiny (v2)"
    assert server.seen == [], "a pinned revision never changes: nobody is asked again"


def test_without_a_network_the_embedded_copy_serves(newer: Entry, hub: Hub) -> None:
    with pytest.warns(UserWarning, match=r"cannot be reached.* tiny is the copy in this package: v1, which scores"):
        found = resolve("tiny", None, replace(hub, endpoint=NOBODY))
    assert str(found) == "tiny (v1, embedded)"


def test_a_file_that_is_not_the_registered_one(newer: Entry, server: HubServer, hub: Hub) -> None:
    server.faults = [Fault("GET .*/resolve/.*/README.md", flip=True, times=1)]
    with pytest.raises(HubError, match=r"README\.md of jedi-sdk/tiny is not what v2 of tiny was registered with"):
        resolve("tiny", None, hub)
    assert hub.place_of(newer) == "remote"
    assert str(resolve("tiny", None, hub)) == "tiny (v2)"


def test_a_revision_turns_the_pin_off(entry: Entry, hub: Hub) -> None:
    with pytest.warns(
        UserWarning, match=r"another revision turns the pin off; loading jedi-sdk/tiny at main and not v1"
    ):
        assert str(resolve("tiny", "main", hub)) == "jedi-sdk/tiny (main)"


def test_the_pinned_revision_by_its_own_name_keeps_the_pin(entry: Entry, server: HubServer, hub: Hub) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve("tiny@v1", None, hub) == resolve("tiny", "v1", hub) == resolve("tiny", None, hub)
    assert server.seen == []


def test_an_older_revision_is_what_it_was_when_the_zoo_goes_on(newer: Entry, server: HubServer, hub: Hub) -> None:
    """What a card says, ``--init tiny@v1``, begins with those weights and not with newer ones."""
    written = resolve("tiny@v1", None, hub).name
    assert written == "tiny@v1"
    assert resolve(written, None, hub).folder == newer.folder
    assert server.seen == [], "the copy in the package is that revision"
    assert resolve("tiny", None, hub).name == "tiny@v2"
    assert resolve("tiny", None, hub).folder == resolve("tiny@v2", None, hub).folder != newer.folder


def test_another_revision_does_not_serve_for_one_that_was_asked_for(newer: Entry, hub: Hub) -> None:
    with pytest.raises(HubError, match="cannot be reached"):
        resolve("tiny@v2", None, replace(hub, endpoint=NOBODY))


def test_a_run_that_begins_with_an_agent_of_the_zoo_says_with_which(entry: Entry, tmp_path: Path) -> None:
    begun = JEDI.from_pretrained("tiny", device="cpu").learn(run_dir=tmp_path / "run", progress=False)
    card = checkpoint.read_card(resolve(tmp_path / "run").folder)
    assert card.begun_with == "tiny@v1"
    assert (training_command(begun._card) or "").startswith("jedi train --init tiny@v1 ")


def test_another_organisation_turns_the_pin_off(
    entry: Entry, server: HubServer, hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JEDI_HUB_ORG", "others")
    publish(server, exported, "v1", "others/tiny")
    with pytest.warns(UserWarning, match=r"JEDI_HUB_ORG turns the pin off; loading others/tiny at its newest"):
        assert str(resolve("tiny", None, hub)).startswith("others/tiny (")
    with pytest.warns(UserWarning, match="pin off"), pytest.raises(HubError, match="cannot be reached"):
        resolve("tiny", None, replace(hub, endpoint=NOBODY, cache_dir=hub.cache_dir / "empty"))  # type: ignore[operator]
    with pytest.warns(UserWarning, match="JEDI_HUB_ORG turns the pin off; loading others/tiny at v1"):
        assert str(resolve("tiny@v1", None, hub)) == "others/tiny (v1)"
    monkeypatch.setenv("JEDI_HUB_ORG", "")
    assert str(resolve("tiny", None, hub)) == "tiny (v1, embedded)"


def test_a_short_name_as_a_folder_of_ones_own(entry: Entry, tmp_path: Path) -> None:
    folder = pull("tiny", tmp_path / "mine")
    assert resolve(folder).mine
    entry.check(folder)


# -- paths ------------------------------------------------------------------------------------------------------------


def test_a_path_that_exists_wins_over_a_repository(
    published: Repo, server: HubServer, hub: Hub, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(resolve("me/agent", None, hub)).startswith("me/agent (")
    server.seen.clear()
    shutil.copytree(exported, tmp_path / "me" / "agent")
    assert resolve("me/agent", None, hub).folder == Path("me/agent")
    assert server.seen == []
    with pytest.raises(HubError, match="is a folder: leave one of them out"):
        resolve("./me/agent", "v1", hub)


def test_a_run_means_its_latest_checkpoint(agent: JEDI) -> None:
    assert agent.run_dir is not None
    found = resolve(agent.run_dir)
    assert agent.origin is not None
    assert found.folder == agent.origin.folder
    assert found.run_dir == agent.run_dir


@pytest.mark.parametrize(
    "name", ["./nowhere", "/nowhere/at/all", "~/nowhere/at/all", "no/where/at/all", Path("nowhere")]
)
def test_a_path_with_nothing_there(name: str | Path) -> None:
    with pytest.raises(CheckpointError, match="neither a checkpoint nor a run folder"):
        resolve(name)


# -- revisions --------------------------------------------------------------------------------------------------------


def test_a_revision_behind_the_name(published: Repo, hub: Hub) -> None:
    assert resolve("me/agent@v1", None, hub) == resolve("me/agent", "v1", hub)
    assert resolve("me/agent", "dev", hub).name == f"me/agent@{published.refs['v1']}", "a branch may move on"
    assert resolve(resolve("me/agent", "v1", hub).name, None, hub).folder == resolve("me/agent", "v1", hub).folder
    assert resolve(resolve("me/agent", None, hub).folder).name == f"me/agent@{published.refs['main']}"


def test_a_revision_of_a_name_that_means_nothing(entry: Entry, hub: Hub) -> None:
    with pytest.raises(HubError, match=r"no agent is called 'tinny'. Did you mean 'tiny'\?"):
        resolve("tinny@v1", None, hub)


def test_a_repository_with_a_revision_is_no_folder(
    published: Repo, hub: Hub, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(exported, tmp_path / "me" / "agent")
    monkeypatch.chdir(tmp_path)
    assert not resolve("me/agent@v1", None, hub).mine


def test_a_revision_behind_a_path_is_explained(
    server: HubServer, hub: Hub, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(exported, tmp_path / "runs" / "b0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HubError, match=r"There is a folder runs/b0 here: for that, write it without @v1"):
        resolve("runs/b0@v1", None, hub)


@pytest.mark.parametrize("name", ["tiny@v1", "me/agent@v1"])
def test_one_revision_is_enough(entry: Entry, hub: Hub, name: str) -> None:
    with pytest.raises(HubError, match=r"@v1 names a revision, and revision='v2' another time: leave one of them out"):
        resolve(name, "v2", hub)


@pytest.mark.parametrize("name", ["tiny@", "me/agent@"])
def test_no_revision_behind_the_sign(entry: Entry, name: str) -> None:
    with pytest.raises(HubError, match=f"{name} names no revision: write a branch, tag or commit behind it"):
        resolve(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("~no-such-user/x", "no such home folder"),
        ("x" * 5_000, "cannot be looked for"),
        (f"./{'x' * 5_000}", "cannot be looked for"),
    ],
    ids=["home", "name", "path"],
)
def test_a_name_that_no_machine_could_have(name: str, said: str) -> None:
    with pytest.raises(HubError, match=said):
        resolve(name)


def test_a_name_that_means_nothing(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        HubError, match=r"no agent is called 'tinny'. Did you mean 'tiny'\? Write a short name \(tiny\)"
    ):
        resolve("tinny")
    (tmp_path / "tinny").mkdir()
    with pytest.raises(HubError, match=r"for the folder of that name write \./tinny"):
        resolve("tinny")


# -- what is not one's own --------------------------------------------------------------------------------------------


def test_the_zoo_is_not_written_to(entry: Entry) -> None:
    before = {path.name: path.read_bytes() for path in entry.folder.iterdir()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent = JEDI.from_pretrained("tiny", device="cpu").fit_probe(frames=64, updates=2, progress=False)
    assert agent.origin is not None
    assert not agent.origin.mine
    assert agent.origin.run_dir is None
    assert {path.name: path.read_bytes() for path in entry.folder.iterdir()} == before


def test_the_path_of_a_strangers_agent_does_not_make_it_ones_own(published: Repo, hub: Hub, tmp_path: Path) -> None:
    found = resolve(pull("me/agent", hub=hub))
    assert not found.mine
    assert str(found) == f"me/agent ({published.refs['main'][:8]})"
    (tmp_path / "link").symlink_to(found.folder)
    assert not resolve(tmp_path / "link").mine
    assert resolve(pull("me/agent", tmp_path / "theirs", hub=hub)).mine, "copied on purpose"


def test_blobs_that_several_repositories_share(published: Repo, hub: Hub) -> None:
    """huggingface_hub 2 may keep a file beside the repositories, and link to it from each."""
    folder = resolve("me/agent", None, hub).folder
    blob = (folder / "model.safetensors").resolve()
    shared = folder.parents[2] / "blobs" / "ab"
    shared.mkdir(parents=True)
    blob.rename(shared / blob.name)
    blob.symlink_to(shared / blob.name)
    options = {"endpoint": hub.endpoint, "cache_dir": hub.cache_dir}
    assert JEDI.from_pretrained("me/agent", device="cpu", **options).config.preset == "tiny"  # type: ignore[arg-type]
