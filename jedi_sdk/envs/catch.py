"""Catch: the smallest game with a known answer. A ball falls, a paddle moves, seven steps decide.

A board of 8x8 cells, 8x8 pixels each. The ball starts in a random column of the top row and falls one row a
step. The paddle is one cell of the bottom row and starts in column 4 (eight columns have no exact middle);
action 0 moves it left, 1 leaves it, 2 moves it right, walls stop it. When the ball reaches the bottom row the
episode ends with +1 if the paddle is there (and hides the ball), else with -1. Every ball can be caught.

Where an episode's ball falls is a function of the environment's seed and the episode's number alone, so that
a batch draws its balls in one expression and still agrees with as many single environments.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .frames import SIZE, enlarge

CELLS = 8
START = 4
MEANINGS = ("LEFT", "NOOP", "RIGHT")
BALL = (255, 220, 0)
PADDLE = (0, 130, 255)


def ball_columns(seeds: NDArray[np.uint64], episodes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The column (b,) in which the ball of each episode falls: three bits of a hash, hence uniform."""
    return (_mix(_mix(seeds) + episodes * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(61)).astype(np.int64)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), wrapping around at 2^64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Boards:
    """``n`` boards, the rules and the picture; resetting is left to the environments below."""

    def __init__(self, n: int):
        self.seeds = np.zeros(n, np.uint64)
        self.episodes = np.zeros(n, np.uint64)
        self.row, self.column, self.paddle = np.zeros(n, int), np.zeros(n, int), np.full(n, START)
        self.over = np.ones(n, bool)  # until the first reset

    def seed(self, seeds: NDArray[np.uint64], mask: NDArray[np.bool_]) -> None:
        self.seeds[mask], self.episodes[mask] = seeds, 0

    def restart(self, mask: NDArray[np.bool_]) -> None:
        """A new episode where ``mask`` (n,) says so."""
        self.column[mask] = ball_columns(self.seeds[mask], self.episodes[mask])
        self.episodes[mask] += np.uint64(1)
        self.row[mask], self.paddle[mask], self.over[mask] = 0, START, False

    def move(self, act: NDArray, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """One step where ``mask`` says so; the rewards (n,), 0 elsewhere."""
        self._check(act, mask)
        self.paddle = np.where(mask, np.clip(self.paddle + act - 1, 0, CELLS - 1), self.paddle)
        self.row = self.row + mask
        self.over = self.row == CELLS - 1
        return np.where(mask & self.over, np.where(self.paddle == self.column, 1.0, -1.0), 0.0)

    def _check(self, act: NDArray, mask: NDArray[np.bool_]) -> None:
        if np.any((act < 0) | (act > 2)):
            raise ValueError(f"Catch knows the actions 0 (left), 1 (stay) and 2 (right), not {act}")
        if np.any(self.over & mask):
            raise RuntimeError("this episode is over or has not begun: call reset() before step()")

    def frames(self) -> NDArray[np.uint8]:
        """What the boards look like, a new array (n 64 64 3)."""
        n = np.arange(len(self.row))
        cells = np.zeros((len(n), CELLS, CELLS, 3), np.uint8)
        cells[n, self.row, self.column] = BALL
        cells[n, CELLS - 1, self.paddle] = PADDLE
        return enlarge(cells, SIZE // CELLS)


def _obs_space() -> Any:
    return Box(0, 255, (SIZE, SIZE, 3), np.uint8)


class CatchEnv(gymnasium.Env[NDArray[np.uint8], Any]):
    """One game of Catch. ``render_mode="rgb_array"`` gives frames of 256x256."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 7}

    def __init__(self, render_mode: str | None = None):
        self.observation_space, self.action_space = _obs_space(), Discrete(3)
        self.render_mode = render_mode
        self._boards, self._all, self._seeded = Boards(1), np.ones(1, bool), False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            key = int(seed if seed is not None else self.np_random.integers(2**63))
            self._boards.seed(np.array([key % 2**64], np.uint64), self._all)
            self._seeded = True
        self._boards.restart(self._all)
        return self._boards.frames()[0], {}

    def step(self, action: Any):
        rew = self._boards.move(np.array([action]), self._all)
        return self._boards.frames()[0], float(rew[0]), bool(self._boards.over[0]), False, {}

    def render(self):
        return enlarge(self._boards.frames()[0]) if self.render_mode == "rgb_array" else None

    def get_action_meanings(self) -> list[str]:
        return list(MEANINGS)


class CatchVectorEnv(VectorEnv[NDArray[np.uint8], NDArray, NDArray]):
    """``num_envs`` games of Catch stepped together; ``reset(seed=s)`` seeds environment ``i`` with ``s + i``, a list of
    seeds each with its own.

    Arrays are new at every step. Infos and resets are those of gymnasium's ``SyncVectorEnv`` in all three
    ``autoreset_mode``s: NEXT_STEP; SAME_STEP with ``final_obs``, ``final_info`` and their masks; DISABLED,
    where ``reset(options={"reset_mask": mask})`` restarts what has ended.
    """

    metadata: dict[str, Any] = {**CatchEnv.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ):
        self.num_envs, self.render_mode = num_envs, render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space, self.single_action_space = _obs_space(), Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._boards, self._seeded = Boards(num_envs), np.zeros(num_envs, bool)

    def reset(self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed if isinstance(seed, int) else None)
        mask = self._reset_mask(options or {})
        self._seed(seed, mask if seed is not None else mask & ~self._seeded)
        self._boards.restart(mask)
        return self._boards.frames(), {}

    def step(self, actions: NDArray):
        if not self._seeded.all():  # else NEXT_STEP would begin all by itself
            raise RuntimeError("some episodes have not begun: call reset() before step()")
        boards, infos = self._boards, {}
        ended = boards.over & (self.autoreset_mode is AutoresetMode.NEXT_STEP)
        boards.restart(ended)
        rew = boards.move(np.asarray(actions), ~ended)
        term = boards.over.copy()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and term.any():
            infos = self._final(term)
            boards.restart(term)
        return boards.frames(), rew, term, np.zeros(self.num_envs, bool), infos

    def render(self):
        return tuple(enlarge(self._boards.frames())) if self.render_mode == "rgb_array" else None

    def get_action_meanings(self) -> list[str]:
        return list(MEANINGS)

    def _seed(self, seed: int | list[int] | None, mask: NDArray[np.bool_]) -> None:
        if seed is None:
            keys = self.np_random.integers(2**63, size=self.num_envs).astype(np.uint64)
        elif isinstance(seed, int):
            keys = np.uint64(seed % 2**64) + np.arange(self.num_envs, dtype=np.uint64)
        else:
            keys = np.array([one % 2**64 for one in seed], np.uint64)
        self._boards.seed(keys[mask], mask)
        self._seeded |= mask

    def _reset_mask(self, options: dict[str, Any]) -> NDArray[np.bool_]:
        mask = options.get("reset_mask", np.ones(self.num_envs, bool))
        if not (isinstance(mask, np.ndarray) and mask.dtype == bool and mask.shape == (self.num_envs,)):
            raise ValueError(
                f"options['reset_mask'] must be a numpy array of {self.num_envs} booleans, not {mask!r}: "
                "write e.g. `envs.reset(options={'reset_mask': terminated | truncated})`"
            )
        return mask

    def _final(self, term: NDArray[np.bool_]) -> dict[str, Any]:
        frames, final = self._boards.frames(), np.full(self.num_envs, None, object)
        for i in np.flatnonzero(term):  # an array of arrays takes them one by one
            final[i] = frames[i].copy()
        return {"final_obs": final, "_final_obs": term.copy(), "final_info": {}, "_final_info": term.copy()}
