"""Games say what their actions are called."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from jedi_sdk.envs import action_meanings, make_envs, make_single

BREAKOUT = ("NOOP", "FIRE", "RIGHT", "LEFT")


class Silent(gymnasium.Env):
    observation_space, action_space = Box(0, 255, (8, 8, 3), np.uint8), Discrete(2)


class Telling(Silent):
    def get_action_meanings(self) -> list[str]:
        return ["WAIT", "GO"]


@pytest.mark.parametrize(
    ("game", "words"),
    [("breakout", BREAKOUT), ("catch", ("LEFT", "NOOP", "RIGHT")), (Telling, ("WAIT", "GO")), (Silent, None)],
)
def test_one_and_several_say_the_same(game: object, words: tuple[str, ...] | None) -> None:
    for env in (make_single(game), make_envs(game, 1)):  # pyright: ignore
        assert action_meanings(env) == words
        env.close()


def test_where_some_actions_are_left_out_there_are_no_words() -> None:
    fewer = gymnasium.wrappers.TransformAction(Telling(), lambda act: 1, Discrete(1))
    assert action_meanings(fewer) is None
