"""Any gymnasium environment that shows images and takes discrete actions, seen as 64x64 RGB."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

from .frames import SIZE, enlarge, to_frame
from .games import Game, resolve_game


class UnsupportedEnvError(ValueError):
    """An environment whose observations or actions cannot be used: says what they are and what can be."""


class ImageEnv(gymnasium.Wrapper):
    """``env`` with observations (64 64 3) uint8 and actions that count from 0.

    ``render()`` is the environment's own picture where it draws RGB arrays, else the last frame enlarged.

    Raises:
        UnsupportedEnvError: not a gymnasium.Env, no image, or no discrete actions; in a step, a reward that is no
            finite number.
    """

    def __init__(self, env: gymnasium.Env):
        if not isinstance(env, gymnasium.Env):
            raise UnsupportedEnvError(f"a game's function must return a gymnasium.Env; it returned {env!r}")
        super().__init__(env)
        self._white, self._first = _white(env), _first_action(env)
        self.observation_space = Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.action_space = Discrete(env.action_space.n)  # type: ignore[attr-defined]  # checked just above

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        obs, info = self.env.reset(seed=seed, options=options)
        return self._frame(obs), info

    def step(self, action: Any):
        obs, rew, term, trunc, info = self.env.step(action + self._first)
        if not math.isfinite(rew):
            raise UnsupportedEnvError(f"{self.unwrapped} paid {rew}: every reward must be a finite number")
        return self._frame(obs), rew, term, trunc, info

    def render(self) -> Any:
        return self.env.render() if self.env.render_mode == "rgb_array" else enlarge(self._last)

    def _frame(self, obs: NDArray) -> NDArray[np.uint8]:
        self._last = to_frame(obs, self._white)
        return self._last


def image_envs(game: Game, num_envs: int) -> VectorEnv:
    """``num_envs`` of them, NEXT_STEP: one in this process, several in a process each."""
    if num_envs == 1:
        return SyncVectorEnv([partial(_make_image_env, _maker(game))], autoreset_mode=AutoresetMode.NEXT_STEP)
    make = partial(_make_in_worker, _maker(game), os.getpid())
    return AsyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.NEXT_STEP)


def single_image_env(game: Game) -> gymnasium.Env:
    """One of them, drawing its own pictures if it can."""
    return _make_image_env(_maker(game, render=True))


def _make_in_worker(make: Callable[[], gymnasium.Env], owner: int) -> gymnasium.Env:
    """A terminal sends Ctrl-C to workers as well, and ``timeout`` SIGTERM; it is their ``owner`` who decides when they
    end. (There, too, one is made, for its spaces.)
    """
    if os.getpid() != owner:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(os, "setpgrp"):  # not on Windows
            os.setpgrp()
    return _make_image_env(make)


def _make_image_env(make: Callable[[], gymnasium.Env]) -> gymnasium.Env:
    try:
        return ImageEnv(make())
    except gymnasium.error.DependencyNotInstalled as error:
        raise UnsupportedEnvError(f"this environment needs a package that is not installed: {error}") from error


def _maker(game: Game, render: bool = False) -> Callable[[], gymnasium.Env]:
    if game.make is not None:
        return game.make
    resolve_game(game.name)  # imports its module: a game that comes from a checkpoint has waited with that
    spec = gymnasium.spec(game.name.rpartition(":")[2])  # workers may not have registered the id
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    draws = "rgb_array" in getattr(creator, "metadata", {}).get("render_modes", ())
    return partial(gymnasium.make, spec, **({"render_mode": "rgb_array"} if render and draws else {}))


def _white(env: gymnasium.Env) -> float:
    """The value that means white, 1 or 255, if the observations are images."""
    space = env.observation_space
    if not isinstance(space, Box) or not _shaped_like_image(space.shape):
        raise UnsupportedEnvError(
            f"{env.unwrapped} observes {space}, but only images can be used: a Box of shape "
            "(H, W), (H, W, 1) or (H, W, 3), channels last. An environment that can draw itself "
            "shows its picture instead: pass "
            "`lambda: gymnasium.wrappers.AddRenderObservation(gymnasium.make(id, render_mode='rgb_array'))`."
        )
    if not (np.all(space.low == 0) and (np.all(space.high == 1) or np.all(space.high == 255))):
        raise UnsupportedEnvError(
            f"{env.unwrapped} observes images from {space.low.min()} to {space.high.max()}, but black "
            "must be 0 and white 1 or 255: `gymnasium.wrappers.TransformObservation` brings them there."
        )
    return float(space.high.max())


def _shaped_like_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))


def _first_action(env: gymnasium.Env) -> int:
    if not isinstance(env.action_space, Discrete):
        raise UnsupportedEnvError(
            f"{env.unwrapped} takes {env.action_space}, but only Discrete actions can be used; "
            "continuous and combined actions not yet. Offer a list of choices in their place: "
            "`gymnasium.wrappers.TransformAction(env, choices.__getitem__, Discrete(len(choices)))`."
        )
    return int(env.action_space.start)
