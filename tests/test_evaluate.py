"""Whole real games: each env plays its share, and what the environment cut off is counted."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import av
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from torch import Tensor

from jedi_sdk import JEDI
from jedi_sdk.actor_critic import Actor
from jedi_sdk.envs import Game, UnsupportedEnvError, resolve_game
from jedi_sdk.evaluate import FRAMES_PER_SECOND, SHOWN_EVERY, evaluate, film
from jedi_sdk.rng import Rng
from jedi_sdk.video import write_video

LIMIT = 2 * SHOWN_EVERY


class Waiting(gymnasium.Env):
    """Pays 2 and ends when action 1 is taken; until then nothing happens."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((64, 64, 3), np.uint8), {}

    def step(self, action):
        return np.zeros((64, 64, 3), np.uint8), 2.0 * action, bool(action == 1), False, {}


def always(action: int):
    def act(x: Tensor, state: Any, first: Tensor) -> tuple[Tensor, Any]:
        return torch.full((len(x),), action), None

    return act


@pytest.fixture
def game() -> Game:
    return resolve_game(lambda: TimeLimit(Waiting(), LIMIT))


def test_games_that_a_limit_ends_are_counted(game: Game) -> None:
    heard: list[tuple[float, str | None]] = []
    result = evaluate(
        always(0), game, 1, 0, True, torch.device("cpu"), progress=lambda done, what=None: heard.append((done, what))
    )
    assert (result.cut, result.mean, result.lengths) == (1, 0.0, [LIMIT])
    assert [what for _, what in heard if what] == [f"playing, step {SHOWN_EVERY}", f"playing, step {LIMIT}"]
    assert heard[-1][0] == 1


def test_games_that_end_by_themselves_are_not(game: Game) -> None:
    result = evaluate(always(1), game, 1, 0, True, torch.device("cpu"))
    assert (result.cut, result.mean, result.lengths) == (0, 2.0, [1])


class TwoLives(gymnasium.Env):
    """The first is lost in the third step, the second in the fifth, and the game with it."""

    observation_space, action_space = Waiting.observation_space, Waiting.action_space

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros((64, 64, 3), np.uint8), {"lives": 2}

    def step(self, action):
        self.t += 1
        lives = 2 - (self.t >= 3) - (self.t >= 5)
        return np.zeros((64, 64, 3), np.uint8), float(action), self.t == 5, False, {"lives": lives}


@pytest.mark.parametrize(("life_loss_ends", "begins"), [(True, [0, 3]), (False, [0])])
def test_what_the_policy_remembers_ends_with_a_life_as_in_training(
    tmp_path: Path, life_loss_ends: bool, begins: list[int]
) -> None:
    told: list[bool] = []

    def act(x: Tensor, state: Any, first: Tensor) -> tuple[Tensor, Any]:
        told.append(bool(first[0]))
        return torch.zeros(len(x), dtype=torch.int64), None

    two, cpu = resolve_game(TwoLives), torch.device("cpu")
    result = evaluate(act, two, 2, 0, True, cpu, life_loss_ends=life_loss_ends)
    assert result.lengths == [5, 5]
    assert [t for t, first in enumerate(told) if first] == begins
    told.clear()
    film(act, two, tmp_path / "film.mp4", 0, cpu, seconds=0.5, life_loss_ends=life_loss_ends)
    assert [t for t, first in enumerate(told) if first] == [*begins, *(5 + t for t in begins)]


@pytest.mark.parametrize("life_loss_ends", [True, False])
def test_an_agent_is_measured_as_it_was_trained(wake, life_loss_ends: bool) -> None:
    """Its actions, and by them its scores, depend on what it remembers."""
    agent = JEDI(TwoLives, preset="tiny", overrides=[f"env.life_loss_ends={life_loss_ends}"])
    wake(agent.actor_critic)
    cpu, scores = torch.device("cpu"), {}
    for ends in (True, False):
        policy = Actor(agent.actor_critic, Rng(0, cpu), agent.world_model.encode)
        scores[ends] = evaluate(policy, agent.game, 40, 0, False, cpu, life_loss_ends=ends).scores
    assert agent.evaluate(40, seed=0, progress=False).scores == scores[life_loss_ends] != scores[not life_loss_ends]


class Wide(Waiting):
    """Draws itself larger than it is seen, and of odd sides; counts how many of its pictures there are."""

    metadata = {"render_modes": ["rgb_array"]}
    render_mode = "rgb_array"

    def render(self):
        return np.full((481, 641, 3), 200, np.uint8)


def test_a_film_of_a_game_that_does_not_end_is_cut_and_keeps_its_size(tmp_path: Path) -> None:
    film(always(0), resolve_game(Wide), tmp_path / "film.mp4", 0, torch.device("cpu"), seconds=1)
    with av.open(str(tmp_path / "film.mp4")) as shown:
        pictures = [frame.to_ndarray(format="rgb24") for frame in shown.decode(video=0)]
    assert len(pictures) == 10 * FRAMES_PER_SECOND
    assert pictures[0].shape == (480, 640, 3)
    assert abs(int(pictures[-1].mean()) - 200) < 5


def test_pictures_are_written_as_they_come_and_nothing_stays_of_a_film_that_fails(tmp_path: Path) -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def pictures():
        for _ in range(50):
            picture = np.zeros((400, 400, 3), np.uint8)
            alive.append(weakref.ref(picture))
            yield picture
            del picture
            assert sum(ref() is not None for ref in alive) <= 2
        raise RuntimeError("the game failed")

    with pytest.raises(RuntimeError, match="the game failed"):
        write_video(tmp_path / "film.mp4", pictures(), 15)
    assert len(alive) == 50
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("num_games", [1, 2], ids=["in this process", "in processes of their own"])
def test_a_game_that_pays_no_number_has_no_score(num_games: int) -> None:
    mad = resolve_game(lambda: gymnasium.wrappers.TransformReward(Waiting(), lambda _: float("nan")))
    with pytest.raises(UnsupportedEnvError, match=r"Waiting.* paid nan: every reward must be a finite number"):
        evaluate(always(1), mad, num_games, 0, True, torch.device("cpu"))
