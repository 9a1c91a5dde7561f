"""A run may begin with the weights of an agent that was loaded: it keeps them, and says whose they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from jedi_sdk import JEDI, CheckpointError, ConfigError
from jedi_sdk.health import RunError
from jedi_sdk.hub import resolve

STANDING_STILL = ("optim.lr=1e-12", "optim.actor_critic_lr=1e-12")
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    folder = tmp_path_factory.mktemp("runs") / "first"
    return JEDI("catch", preset="tiny").learn(run_dir=folder, progress=False)


def encoded(agent: JEDI) -> torch.Tensor:
    with torch.no_grad():
        return agent.world_model.encoder(torch.from_numpy(FRAMES).permute(0, 3, 1, 2) / 127.5 - 1)


def test_a_run_begins_with_the_weights_and_remembers_whose(first: JEDI, tmp_path: Path) -> None:
    assert first.run_dir is not None
    agent = JEDI.from_pretrained(first.run_dir, overrides=STANDING_STILL, device="cpu")
    agent.learn(run_dir=tmp_path / "second", progress=False)
    torch.testing.assert_close(encoded(agent), encoded(first))
    fresh = JEDI("catch", preset="tiny", seed=1)
    assert not torch.allclose(encoded(fresh), encoded(first))

    card = JEDI.from_pretrained(tmp_path / "second", device="cpu")._card
    updates = 3 * 2 * 2  # three parts, two updates an epoch, in the two epochs with data
    assert (card.begun_with, card.env_steps_before) == ("first", 48)
    assert card.updates_before >= updates
    assert card.config.optim.lr == 1e-12


def test_a_third_run_counts_both(first: JEDI, tmp_path: Path) -> None:
    assert first.run_dir is not None
    second = JEDI.from_pretrained(first.run_dir, device="cpu").learn(run_dir=tmp_path / "second", progress=False)
    before = second._card
    third = JEDI.from_pretrained(tmp_path / "second", device="cpu").learn(run_dir=tmp_path / "third", progress=False)
    assert (third._card.begun_with, third._card.env_steps_before) == ("second", 96)
    assert third._card.updates_before == 2 * before.updates_before


def test_resuming_is_no_new_beginning(first: JEDI, tmp_path: Path) -> None:
    assert first.run_dir is not None
    JEDI.from_pretrained(first.run_dir, device="cpu").learn(run_dir=tmp_path / "second", progress=False)
    resumed = JEDI.resume(tmp_path / "second", device="cpu").learn(env_steps=64, progress=False)
    assert (resumed._card.begun_with, resumed._card.env_steps_before) == ("first", 48)


def test_what_is_published_says_so(first: JEDI, tmp_path: Path) -> None:
    assert first.run_dir is not None
    agent = JEDI.from_pretrained(first.run_dir, overrides=["seed=7", "optim.lr=0.0002"], device="cpu").forget_policy()
    agent.learn(run_dir=tmp_path / "second", progress=False)
    folder = agent.export(tmp_path / "public", episodes=2, progress=False)
    results = json.loads((folder / "results.json").read_text())
    assert (
        results["training_command"]
        == "jedi train --init first --new-policy --set optim.lr=0.0002 --seed 7 --env-steps 48"
    )
    assert (results["env_steps"], results["updates"]) == (48, agent._card.updates_before)  # as much as the first run
    assert "It began with the weights of `first`, behind which there were 48 real steps" in (
        folder / "README.md"
    ).read_text().replace("\n", " ")


def test_settings_may_change_but_not_sizes_or_game(first: JEDI) -> None:
    assert first.run_dir is not None
    with pytest.raises(CheckpointError, match=r"does not fit these networks"):
        JEDI.from_pretrained(first.run_dir, overrides=["denoiser.channels=16"])
    with pytest.raises(ConfigError, match=r"keeps its game: leave it out, or start a new agent"):
        JEDI.from_pretrained(first.run_dir, overrides=["game=pong"])
    with pytest.raises(ConfigError, match=r"optim.lr"):
        JEDI.from_pretrained(first.run_dir, overrides=["optim.ler=1"])


def test_a_new_policy_in_the_same_dreams(first: JEDI) -> None:
    assert first.run_dir is not None
    agent = JEDI.from_pretrained(first.run_dir, device="cpu")
    with torch.no_grad():
        agent.actor_critic.actor.bias.fill_(1.0)
    agent.forget_policy()
    assert not agent.actor_critic.actor.bias.any()  # a fresh policy is uniform
    assert not torch.allclose(agent.actor_critic.lstm.input.weight, first.actor_critic.lstm.input.weight)
    torch.testing.assert_close(encoded(agent), encoded(first))


def test_an_agent_without_its_policy_is_no_longer_the_one_it_came_from(first: JEDI, tmp_path: Path) -> None:
    """So that it is not sent to the Hub, nor scored, under its name."""
    folder = first.export(tmp_path / "public", episodes=2, progress=False)
    agent = JEDI.from_pretrained(folder, device="cpu")
    assert agent.evaluate(2, progress=False).checkpoint == str(folder)
    agent.forget_policy()
    assert agent.evaluate(2, progress=False).checkpoint is None


def test_a_run_that_has_begun_keeps_its_policy(first: JEDI) -> None:
    assert first.run_dir is not None
    with pytest.raises(RunError, match=r"has begun with its policy: load the agent anew, JEDI.from_pretrained"):
        JEDI.resume(first.run_dir, device="cpu").forget_policy()


def test_a_policy_of_ones_own_is_not_forgotten() -> None:
    own = JEDI("catch", preset="tiny").actor_critic
    with pytest.raises(RunError, match=r"passed by argument: pass a fresh one"):
        JEDI("catch", preset="tiny", actor_critic=own).forget_policy()


def test_long_names_and_settings_are_read_back(first: JEDI, tmp_path: Path) -> None:
    agent = JEDI.from_pretrained(first.run_dir or "", device="cpu", overrides=[f"replay.recency={[0.123456789] * 16}"])
    agent.learn(run_dir=tmp_path / ("long" * 50), progress=False)
    again = JEDI.from_pretrained(tmp_path / ("long" * 50), device="cpu").learn(
        run_dir=tmp_path / "next", progress=False
    )
    assert (
        JEDI.from_pretrained(tmp_path / "next", device="cpu")._card.begun_with == again._card.begun_with == "long" * 50
    )


@pytest.mark.parametrize("typed", [".", "./", "checkpoints/.."])
def test_whose_weights_they_are_is_known_from_within_the_folder(
    first: JEDI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    assert first.run_dir is not None
    monkeypatch.chdir(first.run_dir)
    agent = JEDI.from_pretrained(Path(typed), device="cpu").learn(run_dir=tmp_path / "next", progress=False)
    assert (agent._card.begun_with, agent._card.env_steps_before) == ("first", 48)
    monkeypatch.chdir(first.run_dir / "checkpoints")
    step = next(path for path in Path().iterdir() if path.is_dir())
    assert resolve(f"./{step}").name == "first"
    assert resolve("..").name == "first"


def test_a_name_that_no_card_may_hold_is_refused_before_anything_is_trained(first: JEDI, tmp_path: Path) -> None:
    folder = first.save_pretrained(tmp_path / "bad\nname")
    with pytest.raises(CheckpointError, match="begun_with"):
        JEDI.from_pretrained(folder, device="cpu").learn(run_dir=tmp_path / "next", progress=False)
