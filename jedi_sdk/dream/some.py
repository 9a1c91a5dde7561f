"""Some of a vector env's envs stepped and begun anew: for libraries that decide themselves which, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool, Int64
from torch import Tensor

from jedi_sdk.dream.arguments import DreamError
from jedi_sdk.dream.env import DreamEnv, Step


class SomeOf:
    """``env`` in ``"Disabled"`` mode, of which any envs are stepped; results have a row for each, in their order.

    Of dreams only those are computed. Real games have one clock: where some are stepped, the others move too, by
    action 0, and count for nothing; from there on they must be reset before they are stepped, and are refused
    otherwise.
    """

    def __init__(self, env: VectorEnv, library: str) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.DISABLED:
            raise DreamError(
                f"{env} resets what is over by itself ({mode}), but {library} does that: write for example "
                "agent.dream_env(64, autoreset_mode='Disabled'), and the same for agent.real_env"
            )
        self.env, self.everyone = env, np.arange(env.num_envs)
        self.over, self.astray = np.zeros(env.num_envs, bool), np.zeros(env.num_envs, bool)  # of real games alone

    def step(self, act: Any, ids: Int64[np.ndarray, "s"]) -> Step:
        if not isinstance(self.env, DreamEnv):
            return self._step_together(act, ids)
        if np.array_equal(ids, self.everyone):  # then no state has to be gathered and put back
            return self.env.step(act)
        return self.env.step_some(act, ids)

    def reset(self, ids: Int64[np.ndarray, "s"], seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        """Observations and infos of all envs. Contexts in ``options`` are for ``ids`` in ascending order."""
        options = dict(options or {})
        if len(ids) < self.env.num_envs:
            options["reset_mask"] = self._mask(ids)
        obs, infos = self.env.reset(seed=seed, options=options)
        self.over[ids] = self.astray[ids] = False
        return obs, infos

    def _step_together(self, act: Any, ids: np.ndarray) -> Step:
        if self.astray[ids].any():
            raise DreamError(
                f"the games {ids[self.astray[ids]].tolist()} were left out while others were stepped, and have moved "
                f"on: begin new ones there first, reset({ids[self.astray[ids]].tolist()})"
            )
        idle = ~self._mask(ids)
        if (self.over & idle).any():
            self.env.reset(options={"reset_mask": self.over & idle})
        obs, rew, term, trunc, infos = self.env.step(self._for_all(act, ids))
        self.over, self.astray = _array(term | trunc), self.astray | idle
        return obs[ids], rew[ids], term[ids], trunc[ids], infos

    def _for_all(self, act: Any, ids: np.ndarray) -> np.ndarray:
        """``act`` where it belongs, and 0 elsewhere; the env refuses what is no action."""
        some = _array(act)
        if some.shape != ids.shape:
            raise DreamError(f"{len(ids)} envs take actions of shape ({len(ids)},), one each, not {some.shape}")
        everyone = np.zeros(self.env.num_envs, some.dtype)
        everyone[ids] = some
        return everyone

    def _mask(self, ids: np.ndarray) -> Bool[np.ndarray, "n"]:
        mask = np.zeros(self.env.num_envs, bool)
        mask[ids] = True
        return mask


def _array(x: Any) -> np.ndarray:
    return x.cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
