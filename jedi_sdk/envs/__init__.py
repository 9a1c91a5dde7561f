"""The real world: any game as 64x64 RGB frames, discrete actions and raw rewards.

``make_envs`` for collecting, ``make_single`` for watching, ``positions`` for ground truth. Neither ALE nor
OpenCV is imported before an environment is made.
"""

from __future__ import annotations

import gymnasium

from .adapt import UnsupportedEnvError
from .games import Game, UnknownGameError, human_normalised, resolve_game
from .make import make_envs, make_single
from .meanings import action_meanings
from .ram import positions

__all__ = [
    "Game",
    "UnknownGameError",
    "UnsupportedEnvError",
    "action_meanings",
    "human_normalised",
    "make_envs",
    "make_single",
    "positions",
    "register",
    "resolve_game",
]


def register() -> None:
    """Makes ``gymnasium.make`` and ``make_vec`` know ``JEDI/Catch-v0``, and ``JEDI/Dream-v0`` with ``checkpoint=``;
    may be called more than once."""
    homes = {
        "JEDI/Catch-v0": ("jedi_sdk.envs.catch:CatchEnv", "jedi_sdk.envs.catch:CatchVectorEnv"),
        "JEDI/Dream-v0": ("jedi_sdk.by_id:dream", "jedi_sdk.by_id:dreams"),
    }
    for id, (one, several) in homes.items():
        if id not in gymnasium.registry:
            gymnasium.register(id, entry_point=one, vector_entry_point=several)
