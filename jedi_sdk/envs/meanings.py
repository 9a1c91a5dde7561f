"""What the actions of a game are called, where the game says it."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.vector import SyncVectorEnv, VectorEnv

NAME = "get_action_meanings"


def action_meanings(env: gymnasium.Env | VectorEnv) -> tuple[str, ...] | None:
    """A word for each action, as ALE's envs give them by ``get_action_meanings()``; None where a game has no words.

    ``env``: as ``make_envs(game, 1)`` or ``make_single(game)`` makes it. Games in other processes are not asked.
    """
    one: Any = env.envs[0] if isinstance(env, SyncVectorEnv) else env
    if isinstance(one, gymnasium.Env):
        actions: Any = one.action_space
        say = one.get_wrapper_attr(NAME) if one.has_wrapper_attr(NAME) else None
    else:
        actions, say = one.single_action_space, getattr(one, NAME, None)
    said = say() if say else ()
    return tuple(map(str, said)) if len(said) == actions.n else None  # a wrapper may have left some out
