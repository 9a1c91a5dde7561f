"""Whole real games: each env plays its share, and what the environment cut off is counted."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from torch import Tensor

from jedi_sdk.envs import Game, UnsupportedEnvError, resolve_game
from jedi_sdk.evaluate import SHOWN_EVERY, evaluate

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


@pytest.mark.parametrize("num_games", [1, 2], ids=["in this process", "in processes of their own"])
def test_a_game_that_pays_no_number_has_no_score(num_games: int) -> None:
    mad = resolve_game(lambda: gymnasium.wrappers.TransformReward(Waiting(), lambda _: float("nan")))
    with pytest.raises(UnsupportedEnvError, match=r"Waiting.* paid nan: every reward must be a finite number"):
        evaluate(always(1), mad, num_games, 0, True, torch.device("cpu"))
