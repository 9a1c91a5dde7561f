"""Atari as the Atari 100k benchmark plays it, natively vectorised by ALE.

64x64 RGB, each action held for 4 frames, the last 2 of them max-pooled (sprites flicker), up to 30 no-ops at
the start, no sticky actions, no automatic FIRE, raw rewards, the game's minimal action set, at most 108,000
frames an episode. A lost life is reported in ``info["lives"]`` and ends nothing; the caller may decide so.

Import this module only to make an environment: it brings ALE.
"""

from __future__ import annotations

import os
from typing import Any

import ale_py
import gymnasium
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import AtariPreprocessing
from numpy.typing import NDArray

from .frames import SIZE
from .games import atari_games, unknown_game

NOOP_MAX = 30
SEEDS = 2**31  # as many as ALE knows; Stable-Baselines3 and TorchRL draw larger ones


class AtariEnvs(AtariVectorEnv):
    """``num_envs`` copies of one ROM; NEXT_STEP autoreset; frames (n 64 64 3) uint8, new at every step.

    Rewards are float64 as everywhere in gymnasium; actions may be of any integer type.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # ALE would write into VectorEnv's

    def __init__(self, rom: str, num_envs: int, noop_max: int = NOOP_MAX):
        super().__init__(
            _known(rom),
            num_envs,
            num_threads=min(num_envs, os.cpu_count() or 1),
            img_height=SIZE,
            img_width=SIZE,
            grayscale=False,
            stack_num=1,
            frameskip=4,
            maxpool=True,
            noop_max=noop_max,
            use_fire_reset=False,
            reward_clipping=False,
            repeat_action_probability=0.0,
            autoreset_mode=AutoresetMode.NEXT_STEP,
        )
        self.single_observation_space = Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def reset(self, *, seed: int | list[int] | NDArray | None = None, options: dict[str, Any] | None = None):
        obs, info = super().reset(seed=self._seeds(seed, options or {}), options=options)
        return obs[:, 0], info

    def _seeds(self, seed: int | list[int] | NDArray | None, options: dict[str, Any]) -> NDArray | None:
        """One for each env that is reset, env i's from ``seed + i`` as gymnasium has it; ALE takes 31 bits."""
        if seed is None:
            return None
        each = (np.arange(self.num_envs) + seed if np.ndim(seed) == 0 else np.asarray(seed)) % SEEDS
        return each[options["reset_mask"]] if "reset_mask" in options else each

    def step(self, actions: NDArray):
        obs, rew, term, trunc, info = super().step(np.asarray(actions, np.int64))
        return obs[:, 0], rew.astype(np.float64), term, trunc, info

    def get_action_meanings(self) -> list[str]:
        """As ALE's single envs say them."""
        return [action.name for action in self.ale.get_action_set()]


def single_atari(rom: str, noop_max: int = NOOP_MAX) -> gymnasium.Env:
    """One game with the same settings, for videos and measurements: ``render()`` is the console's own picture
    (210 160 3) and the RAM can be read (``ram.py``)."""
    id = f"ALE/{_known(rom).title().replace('_', '')}-v5"
    env = gymnasium.make(id, frameskip=1, repeat_action_probability=0.0, render_mode="rgb_array")
    return AtariPreprocessing(env, noop_max=noop_max, frame_skip=4, screen_size=SIZE, grayscale_obs=False)


def _known(rom: str) -> str:
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # no banner for each game
    if rom not in atari_games():
        raise unknown_game(rom)
    return rom
