"""From a game to environments: several for collecting, one for watching."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
from gymnasium.spaces import Discrete
from gymnasium.vector import VectorEnv

from .adapt import UnsupportedEnvError, image_envs, single_image_env
from .catch import CatchEnv, CatchVectorEnv
from .games import Game, resolve_game


def make_envs(game: Game | str | Callable[[], gymnasium.Env], num_envs: int) -> VectorEnv:
    """``num_envs`` environments that reset themselves on the step after the end (NEXT_STEP).

    Frames are (n 64 64 3) uint8, new at every step; actions (n,) integers from 0; rewards raw.

    Raises:
        UnknownGameError: no such game.
        UnsupportedEnvError: its observations are no images, its actions not discrete, or not as many as are known.
    """
    if num_envs < 1:
        raise ValueError(f"num_envs must be at least 1, not {num_envs}")
    game = resolve_game(game)
    envs = _several(game, num_envs)
    _refuse_other_actions(game, envs, envs.single_action_space)
    return envs


def make_single(game: Game | str | Callable[[], gymnasium.Env]) -> gymnasium.Env:
    """One environment with the same frames (64 64 3), actions and rewards, whose ``render()`` is an RGB array
    of the game as people see it (for an environment that draws none: the frame enlarged to 256x256).

    Raises: as ``make_envs``.
    """
    game = resolve_game(game)
    env = _single(game)
    _refuse_other_actions(game, env, env.action_space)
    return env


def _several(game: Game, num_envs: int) -> VectorEnv:
    if game.kind == "catch":
        return CatchVectorEnv(num_envs)
    if game.kind == "atari":
        from .atari import AtariEnvs  # here, because it brings ALE

        return AtariEnvs(game.name, num_envs)
    return image_envs(game, num_envs)


def _single(game: Game) -> gymnasium.Env:
    if game.kind == "catch":
        return CatchEnv(render_mode="rgb_array")
    if game.kind == "atari":
        from .atari import single_atari  # here, because it brings ALE

        return single_atari(game.name)
    return single_image_env(game)


def _refuse_other_actions(game: Game, made: gymnasium.Env | VectorEnv, actions: gymnasium.Space) -> None:
    if game.num_actions is not None and actions != Discrete(game.num_actions):
        made.close()
        raise UnsupportedEnvError(
            f"{game.name} takes {actions}, but this agent has learned a game that takes Discrete({game.num_actions}): "
            "pass that one"
        )
