"""The real world: any game as 64x64 RGB frames, discrete actions and raw rewards.

``make_envs`` for collecting, ``make_single`` for watching, ``positions`` for ground truth. Neither ALE nor
OpenCV is imported before an environment is made.
"""

from __future__ import annotations

import gymnasium

from .adapt import UnsupportedEnvError
from .games import Game, UnknownGameError, human_normalised, resolve_game
from .make import make_envs, make_single
from .ram import positions

__all__ = [
    "Game",
    "UnknownGameError",
    "UnsupportedEnvError",
    "human_normalised",
    "make_envs",
    "make_single",
    "positions",
    "register",
    "resolve_game",
]


def register() -> None:
    """Makes ``gymnasium.make("JEDI/Catch-v0")`` and ``make_vec`` work; may be called more than once."""
    if "JEDI/Catch-v0" not in gymnasium.registry:
        gymnasium.register(
            "JEDI/Catch-v0",
            entry_point="jedi_sdk.envs.catch:CatchEnv",
            vector_entry_point="jedi_sdk.envs.catch:CatchVectorEnv",
        )
