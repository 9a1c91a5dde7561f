"""The whole measurement on real games: catch, whose random return is known, and Breakout."""

from __future__ import annotations

import io
import json
import math
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.envs import resolve_game
from jedi_sdk.fidelity import Fidelity, measure_fidelity
from jedi_sdk.fidelity.held_out import BATCH, play_held_out
from jedi_sdk.fidelity.progress import silent
from jedi_sdk.fidelity.subject import Player
from jedi_sdk.precision import Precision
from jedi_sdk.presets import TINY
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel

CPU = Precision(torch.device("cpu"), torch.float32)
CATCH, BREAKOUT = resolve_game("catch"), resolve_game("breakout")


def networks(actions: int) -> tuple[WorldModel, ActorCritic]:
    torch.manual_seed(0)
    world_model = WorldModel(TINY, actions)
    return world_model, ActorCritic(world_model.latent_shape, actions, TINY.actor_critic)


def measure_catch(**settings: Any) -> Fidelity:
    settings = {"contexts": 400, "horizon": 8, "policy": "random", **settings}
    return measure_fidelity(*networks(3), CATCH, TINY, CPU, **settings)


@pytest.fixture(scope="module")
def catch() -> Fidelity:
    return measure_catch()


@pytest.fixture(scope="module")
def breakout() -> Fidelity:
    return measure_fidelity(*networks(4), BREAKOUT, TINY, CPU, contexts=80, horizon=4)


def test_catch_is_what_it_is(catch: Fidelity):
    """A random paddle is under the ball once in eight, and all is decided within seven steps."""
    assert catch.gap.real == pytest.approx(2 / 8 - 1, abs=4 * catch.gap.real_stderr)
    assert catch.gap.real_stderr < 0.1
    loop = catch.open_loop
    assert loop.count[0] == 400
    assert loop.count[7] == 0
    assert loop.end.matrix[1].sum() == 400  # every context sees its episode end
    assert loop.rew.matrix[[0, 2]].sum() == 400  # and pay, one way or the other
    assert catch.score == pytest.approx(-0.75, abs=0.25)


def test_the_policy_is_stated(catch: Fidelity, breakout: Fidelity):
    assert catch.policy == "a uniformly random policy"
    assert breakout.policy == "the agent's own sampled policy with 1% random actions"


def test_who_plays_matters():
    """A policy that never fires sees no ball and earns nothing; a random one does."""
    still = replace(TINY, env=replace(TINY.env, epsilon=0.0))
    world_model, actor_critic = networks(4)
    actor_critic.actor.bias.data[0] = 30
    played = {
        policy: measure_fidelity(
            world_model, actor_critic, BREAKOUT, still, CPU, contexts=250, horizon=1, policy=policy
        )
        for policy in ("agent", "random")
    }
    assert played["agent"].displacement[0].pairs == 0
    assert played["random"].displacement[0].pairs > 0


def test_the_same_seed_measures_the_same():
    once, again, other = (measure_catch(contexts=70, seed=seed).to_dict() for seed in (0, 0, 1))
    assert once == again
    assert other["open_loop"] != once["open_loop"]


def test_progress_runs_from_nothing_to_all():
    told: list[tuple[float, str]] = []
    measure_catch(contexts=100, progress=lambda done, what: told.append((done, what)))
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] == 1
    assert {what for _, what in told} == {"playing held-out episodes", "dreaming"}


def test_contexts_are_distinct_and_followed_by_a_whole_horizon():
    world_model, actor_critic = networks(3)
    policy = Actor(actor_critic, Rng(0), world_model.encode, epsilon=1.0)
    held_out = play_held_out(Player(CATCH, policy, TINY, CPU, seed=0), 130, 8, silent)
    assert len(set(zip(held_out.rows, held_out.envs, strict=True))) == 130
    assert held_out.rows.max() + 8 < held_out.replay.count
    segments = list(held_out.batches())
    assert [len(segment.obs) for segment in segments] == [BATCH, BATCH, 2]
    assert all(segment.obs.shape[1] == TINY.context + 8 for segment in segments)
    assert all(segment.mask[:, TINY.context - 1].all() for segment in segments)
    assert all(segment.mask[:, TINY.context].all() for segment in segments)  # somebody acted at the anchor


def test_breakout_has_everything(breakout: Fidelity):
    assert bool(breakout.open_loop.ratio.isfinite().all())
    assert {entry.thing for entry in breakout.displacement} == {"ball", "paddle"}
    assert math.isfinite(breakout.gap.gap)


def test_the_report_is_json_without_nan(catch: Fidelity, breakout: Fidelity):
    for fidelity in (catch, breakout):
        report = json.loads(json.dumps(fidelity.to_dict(), allow_nan=False))
        assert report["contexts"] == fidelity.contexts
        assert report["open_loop"]["ratio"][0] == pytest.approx(float(fidelity.open_loop.ratio[0]))
        assert report["reward"]["confusion"] == fidelity.open_loop.rew.matrix.tolist()
        ends = fidelity.open_loop.end_encoded
        assert report["termination"]["balanced_accuracy_encoded"] == ends.balanced_accuracy
        assert report["termination"]["frequency_encoded"]["ends"] == float(ends.frequency_dreamed[1])
        assert len(report["displacement"]) == len(fidelity.displacement)
    assert catch.to_dict()["open_loop"]["ratio"][7] is None  # no episode gets there


def test_the_table_shows_what_was_measured(catch: Fidelity, breakout: Fidelity):
    texts = {}
    for fidelity in (catch, breakout):
        console = Console(width=140, record=True, file=io.StringIO())
        console.print(fidelity.table())
        texts[fidelity.game] = console.export_text()
    assert "400 contexts" in texts["catch"]
    assert "random policy" in texts["catch"]
    assert f"{float(catch.open_loop.ratio[0]):.3g}" in texts["catch"]
    assert f"{catch.open_loop.rew_encoded.balanced_accuracy:.3g}" in texts["catch"]
    assert "off real frames" in texts["catch"]
    assert "–" in texts["breakout"]  # too few pairs for a probe
    assert "paddle" in texts["breakout"]
    assert "paddle" not in texts["catch"]


def test_the_picture_is_a_png(catch: Fidelity, breakout: Fidelity, tmp_path: Path):
    for fidelity in (catch, breakout):
        path = tmp_path / f"{fidelity.game}.png"
        fidelity.plot(path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 20_000


@pytest.mark.parametrize("wrong", [{"contexts": 0}, {"horizon": 0}])
def test_nothing_to_measure_is_an_error(wrong: dict[str, int]):
    with pytest.raises(ValueError, match="at least 1"):
        measure_catch(**wrong)


def test_a_finished_report_cannot_be_changed(catch: Fidelity):
    with pytest.raises(FrozenInstanceError):
        catch.game = "pong"  # type: ignore[misc]
