"""Policies of other libraries to a Hub and back, with the agent whose latents they read, or its name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from stable_baselines3 import PPO
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk import JEDI, CheckpointError, RunError
from jedi_sdk.checkpoint import POLICY_FOLDER
from jedi_sdk.dream.sb3 import DreamVecEnv, latent_policy
from jedi_sdk.hub import Hub, HubError, pull, push
from jedi_sdk.policies import load_policy, save_policy

from .server import Fault, HubServer, Repo

OF_THE_POLICY = {"policy.json", "policy.safetensors", "manifest.json"}
OF_THE_AGENT = {f"agent/{n}" for n in ("config.json", "model.safetensors", "starts.safetensors", "manifest.json")}


@pytest.fixture(scope="session")
def model(agent: JEDI) -> PPO:
    dream = DreamVecEnv(agent.dream_env(4, horizon=4, sampler={"steps": 1}))
    return PPO("CnnPolicy", dream, n_steps=8, batch_size=32, policy_kwargs=latent_policy(16, 8), seed=0).learn(64)


@pytest.fixture
def embedded(model: PPO, agent: JEDI, tmp_path: Path) -> Path:
    return save_policy(model, tmp_path / "mine" / "embedded", agent)


@pytest.fixture
def named(model: PPO, published: Repo, hub: Hub, tmp_path: Path) -> Path:
    """Names an agent that is on the Hub, at a tag."""
    return save_policy(model, tmp_path / "mine" / "named", "me/agent", revision="v1", hub=hub)


@pytest.fixture
def writer(hub: Hub) -> Hub:
    return replace(hub, token="hf_good")


def assert_acts_as(model: PPO, loaded: Any) -> None:
    obs = loaded.real_env(8).reset()
    with torch.no_grad():
        z = torch.from_numpy(obs)
        assert torch.equal(model.policy.predict_values(z), loaded.policy.predict_values(z))
    np.testing.assert_array_equal(
        model.predict(obs, deterministic=True)[0], loaded.policy.predict(obs, deterministic=True)[0]
    )


def test_embedded(server: HubServer, writer: Hub, hub: Hub, model: PPO, embedded: Path) -> None:
    (embedded / "agent" / "secret.txt").write_text("mine")
    push(embedded, "me/policy", hub=writer)
    repo = server.repos["me/policy"]
    sent = set(repo.commits[repo.refs["main"]]) - {".gitattributes"}
    assert sent == OF_THE_POLICY | OF_THE_AGENT | {"README.md", "agent/probe.safetensors"}
    assert_acts_as(model, load_policy("me/policy", device="cpu", hub=hub))
    server.seen.clear()
    nobody = replace(hub, endpoint="http://127.0.0.1:9")
    assert_acts_as(model, load_policy("me/policy", device="cpu", hub=nobody))


def test_named(server: HubServer, writer: Hub, hub: Hub, model: PPO, named: Path) -> None:
    push(named, "me/policy", hub=writer)
    repo = server.repos["me/policy"]
    assert set(repo.commits[repo.refs["main"]]) - {".gitattributes"} == OF_THE_POLICY | {"README.md"}
    loaded = load_policy("me/policy", device="cpu", hub=hub)
    assert_acts_as(model, loaded)
    assert str(loaded.agent.origin) == "me/agent (v1)"


def test_named_with_its_revision(published: Repo, hub: Hub, model: PPO, named: Path, tmp_path: Path) -> None:
    again = save_policy(model, tmp_path / "again", "me/agent@v1", hub=hub)
    assert (again / "policy.json").read_bytes() == (named / "policy.json").read_bytes()


def test_the_named_agent_has_become_another(server: HubServer, hub: Hub, named: Path) -> None:
    """Its latents would mean something else, whatever their shape."""
    repo = server.repos["me/agent"]
    files = dict(repo.commits[repo.refs["v1"]])
    weights = bytearray(files["model.safetensors"])
    weights[-1] ^= 1
    files["model.safetensors"] = bytes(weights)
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({**manifest, "model.safetensors": sha256(weights).hexdigest()}).encode()
    repo.refs["v1"] = repo.commit(files, "moved")
    with pytest.raises(CheckpointError, match=r"in the dreams of me/agent when that had other weights.*revision="):
        load_policy(named, device="cpu", hub=hub)


def test_the_name_of_an_agent_is_never_a_path(
    published: Repo, hub: Hub, named: Path, agent: JEDI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.save_pretrained(tmp_path / "me" / "agent")
    monkeypatch.chdir(tmp_path)
    assert str(load_policy(named, device="cpu", hub=hub).agent.origin) == "me/agent (v1)"


@pytest.mark.parametrize("name", ["me/.", "me/..", "../agent"])
def test_a_name_with_dots_alone_is_none(named: Path, name: str) -> None:
    said = json.loads((named / "policy.json").read_text())
    said["agent"]["name"] = name
    (named / "policy.json").write_text(json.dumps(said))
    manifest = json.loads((named / "manifest.json").read_text())
    manifest["policy.json"] = sha256((named / "policy.json").read_bytes()).hexdigest()
    (named / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"'agent\.name' is"):
        load_policy(named, device="cpu")


def test_the_card(server: HubServer, writer: Hub, named: Path) -> None:
    push(named, "me/policy", hub=writer)
    repo = server.repos["me/policy"]
    text = repo.commits[repo.refs["main"]]["README.md"].decode()
    data = ModelCard(text).data.to_dict()
    assert (data["license"], data["library_name"]) == ("mit", "jedi-sdk")
    for promised in ("PPO", "stable_baselines3", "me/agent", 'load_policy("me/policy")', "jedi-sdk[sb3]"):
        assert promised in text
    (named / "README.md").write_text("# My own words\n")
    push(named, "me/policy", hub=writer)
    assert repo.commits[repo.refs["main"]]["README.md"] == b"# My own words\n"


def test_nothing_is_uploaded_twice(server: HubServer, writer: Hub, embedded: Path) -> None:
    first = push(embedded, "me/twice", hub=writer)
    server.seen.clear()
    assert push(embedded, "me/twice", hub=writer) == first
    assert not any("/commit/" in request for request in server.seen)


def test_what_is_damaged_is_not_sent(server: HubServer, writer: Hub, embedded: Path) -> None:
    (embedded / "agent" / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is damaged"):
        push(embedded, "me/policy", hub=writer)
    assert server.seen == []


def test_pulled_to_a_folder(writer: Hub, hub: Hub, model: PPO, embedded: Path, tmp_path: Path) -> None:
    push(embedded, "me/policy", hub=writer)
    folder = pull("me/policy", tmp_path / "theirs", hub=hub)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found <= set(POLICY_FOLDER.public)
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert_acts_as(model, load_policy(folder, device="cpu"))


@pytest.mark.parametrize("name", ["policy.safetensors", "agent/model.safetensors"])
def test_wrong_bytes_on_the_way(server: HubServer, writer: Hub, hub: Hub, embedded: Path, name: str) -> None:
    push(embedded, "me/policy", hub=writer)
    server.faults.append(Fault(rf"GET /me/policy/resolve/\w+/{name}", flip=True, times=1))
    with pytest.raises(HubError, match=r"is damaged.*copy in the cache was removed"):
        load_policy("me/policy", device="cpu", hub=hub)
    assert load_policy("me/policy", device="cpu", hub=hub).spec.kind == "PPO"


def test_an_interrupted_download_is_none(server: HubServer, writer: Hub, hub: Hub, embedded: Path) -> None:
    push(embedded, "me/policy", hub=writer)
    server.faults.append(Fault(r"GET /me/policy/resolve/\w+/agent/manifest.json", status=500))
    with pytest.raises(HubError):
        load_policy("me/policy", device="cpu", hub=hub)
    with pytest.raises((HubError, CheckpointError), match=r"is not in the cache|is missing|lacks"):
        load_policy("me/policy", device="cpu", hub=replace(hub, local_files_only=True))
    server.faults.clear()
    assert load_policy("me/policy", device="cpu", hub=hub).spec.kind == "PPO"


def test_a_strangers_game_is_not_imported(writer: Hub, hub: Hub, embedded: Path, tmp_path: Path) -> None:
    """The agent inside is as much a stranger's as the policy around it."""
    evil = Path(shutil.copytree(embedded, tmp_path / "evil"))
    card = json.loads((evil / "agent" / "config.json").read_text())
    card["game"] = card["config"]["game"] = "their_module:Game-v0"
    (evil / "agent" / "config.json").write_text(json.dumps(card))
    for folder, name in ((evil / "agent", "config.json"), (evil, "agent/manifest.json")):
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest[name] = sha256((folder / name).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
    push(evil, "me/evil", hub=writer)
    loaded = load_policy("me/evil", device="cpu", hub=hub)
    with pytest.raises(RunError, match="stranger's, and to play 'their_module:Game-v0'"):
        loaded.real_env(1)


def test_on_the_command_line(
    server: HubServer, embedded: Path, model: PPO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    there = ["--endpoint", server.endpoint]
    pushed = CliRunner().invoke(app, ["push", str(embedded), "me/policy", "--private", *there])
    assert pushed.exit_code == 0, pushed.output
    assert server.repos["me/policy"].private
    pulled = CliRunner().invoke(app, ["pull", "me/policy", "--to", str(tmp_path / "theirs"), *there])
    assert pulled.exit_code == 0, pulled.output
    assert "load_policy" in pulled.output
    assert_acts_as(model, load_policy(tmp_path / "theirs", device="cpu"))
    at_main = CliRunner().invoke(app, ["pull", "me/policy", "--revision", "main", *there])
    assert 'load_policy("me/policy@main")' in " ".join(at_main.output.split())
    played = CliRunner().invoke(app, ["eval", str(embedded)])
    assert played.exit_code == 2
    assert "load it with jedi_sdk.policies.load_policy" in " ".join(played.output.split())
