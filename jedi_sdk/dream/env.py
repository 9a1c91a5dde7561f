"""The dream as gymnasium's vector env: numpy at the edge, and who resets what has ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from jedi_sdk.config import SamplerConfig
from jedi_sdk.dream.arguments import (
    DreamError,
    checked_actions,
    checked_ids,
    checked_mask,
    refuse_closed,
    refuse_other_than,
)
from jedi_sdk.dream.core import Dream, Moment
from jedi_sdk.dream.starts import asked_for
from jedi_sdk.envs.frames import enlarge

Step = tuple[Any, Any, Any, Any, dict[str, Any]]


class DreamEnv(VectorEnv):
    """A ``Dream`` as a ``gymnasium.vector.VectorEnv``, in each of the three autoreset modes.

    Arrays are new at every step; with ``to_numpy=False`` observations, rewards and flags are tensors on the agent's
    device, observations without a copy: do not write to those. The same seed, number of envs and sequence of calls
    give the same dream bit for bit. ``render()`` paints all dreams, where there is a probe.

    ``reset`` takes, in ``options``, ``reset_mask`` (which dreams begin anew) and where they begin: ``frames`` and
    ``actions`` of your own (``starts.py`` says which action belongs to which frame), or ``from``, a real env.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 15}

    def __init__(
        self,
        core: Dream,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        to_numpy: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.core, self.num_envs, self.to_numpy = core, core.num_envs, to_numpy
        self._unseen = False  # whether the core's state is known to nobody else, so that it may be written to
        self.autoreset_mode, self.render_mode = AutoresetMode(autoreset_mode), render_mode
        if render_mode is not None:
            refuse_other_than("render_mode", render_mode, ["rgb_array"])
            core.view.refuse_without_probe("render_mode='rgb_array'")
        drawn = ["rgb_array"] if core.view.probe else []
        self.metadata = {**self.metadata, "render_modes": drawn, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = core.view.space
        self.single_action_space = Discrete(core.world_model.num_actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        refuse_closed(self)
        options, ids = options or {}, None
        if "reset_mask" in options:
            ids = self._numbers(checked_mask(options["reset_mask"], self.num_envs))
        contexts = asked_for(options, self.core.world_model, self.core.precision)
        super().reset(seed=seed)
        if seed is not None or not self.core.begun:
            self.core.seed(self._new_seed() if seed is None else seed)
        self.core.reset(ids, contexts, in_place=self._unseen)
        self._unseen &= ids is not None  # contexts may be somebody's own
        return self.observe(), {}

    def step(self, actions: Any) -> Step:
        refuse_closed(self)
        act = self._actions(actions, self.num_envs)
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and self.core.moment.some_over:
            return self._step_after_an_end(act)
        obs, rew, end, trunc = self.core.step(act)
        self._unseen = self.to_numpy  # observations are copies, then
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self.core.moment.some_over:
            shown, infos = self._begin_at_once(obs)
            return shown, *self._outcome(rew, end, trunc), infos
        return self._out(obs), *self._outcome(rew, end, trunc), {}

    def step_some(self, actions: Any, ids: Any) -> Step:
        """Steps the dreams ``ids`` alone, computes nothing for the others, and resets none, whatever the mode.

        The results have a row for each of ``ids``, in their order. Noise is drawn for these rows: stepping all of
        them so is the same as ``step``, stepping them in two halves is another dream of equal right.
        """
        refuse_closed(self)
        which = self._ids(ids)
        obs, rew, end, trunc = self.core.step(self._actions(actions, len(which)), which)
        return self._out(obs), *self._outcome(rew, end, trunc), {}

    def observe(self) -> Any:
        """What all dreams show now: after ``set_state``, for example."""
        return self._out(self.core.view(self.core.moment.state))

    def render(self) -> tuple[np.ndarray, ...] | None:
        """A picture (256, 256, 3) of each dream."""
        if self.render_mode is None:
            return None
        pictures = self.core.view.pixels(self.core.moment.state.z[:, -1])
        return tuple(enlarge(pictures.cpu().numpy()))

    @property
    def device(self) -> torch.device:
        return self.core.precision.device

    def get_action_meanings(self) -> list[str] | None:
        """A word for each action, as ALE's envs give them; None where the game has none."""
        return list(self.core.action_meanings) if self.core.action_meanings else None

    # -- quality and branching ----------------------------------------------------------------------------------

    @property
    def sampler(self) -> SamplerConfig:
        return self.core.sampler

    def set_sampler(self, **changes: Any) -> None:
        """Trades quality for speed from the next step on: ``steps=1``, ``method="heun"``, ``s_churn=1.0``.

        Raises ``ConfigError``.
        """
        self.core.set_sampler(**changes)

    def get_state(self, ids: Any = None) -> Moment:
        """Where the dreams ``ids`` stand (all of them by default). What is got is never written to."""
        refuse_closed(self)
        return self.core.moment[self._ids(ids, repeats=True)]

    def set_state(self, state: Moment, ids: Any = None, seed: int | None = None) -> None:
        """Puts the dreams ``ids`` where ``state`` stood: they go on from there with other noise, so to another end.

        With ``seed`` all noise is drawn anew from it: twice the same state, seed and calls are the same dream.
        """
        refuse_closed(self)
        which = self._ids(ids)
        if len(state) != len(which):
            raise DreamError(
                f"a state of {len(state)} dreams cannot be put in the places of {len(which)}: write the ids it is for"
            )
        begun = self.core.begun
        self.core.moment = state if ids is None else self.core.moment.put(which, state)
        self._unseen = False
        if seed is not None:
            self._seed(seed)
        elif not begun:  # as reset would: else the noise of every such env would be that of seed 0
            self.core.seed(self._new_seed())

    def fork(self, ids: Any = None, seed: int | None = None) -> DreamEnv:
        """A new env whose dreams stand where ``ids`` stand; an id may be repeated, for several futures of one dream.

        Neither touches the other. Without ``seed`` the fork's noise follows from this env's seed and earlier forks.
        """
        refuse_closed(self)
        core = self.core.fork(self._ids(ids, repeats=True))
        twin = DreamEnv(core, self.autoreset_mode, self.to_numpy, self.render_mode)
        twin._seed(self._new_seed() if seed is None else seed)
        return twin

    # -- to and from the outside --------------------------------------------------------------------------------

    def _step_after_an_end(self, act: Tensor) -> Step:
        """NEXT_STEP: what is over begins anew, whatever was to be done there; the others go on."""
        over = self.core.moment.over
        rew = torch.zeros(self.num_envs, device=act.device)
        end, trunc = rew.bool(), rew.bool()
        self.core.reset(self._numbers(over))
        on = self._numbers(~over)
        if len(on):
            _, rew[on], end[on], trunc[on] = self.core.step(act[on], on)
        return self.observe(), *self._outcome(rew, end, trunc), {}

    def _begin_at_once(self, obs: Tensor) -> tuple[Any, dict[str, Any]]:
        """SAME_STEP: what is over begins anew; its last observation is told as gymnasium's ``SyncVectorEnv`` does."""
        over, final = self.core.moment.over, np.empty(self.num_envs, object)
        ids = self._numbers(over)
        for i, last in zip(ids.tolist(), self._array(obs.index_select(0, ids)), strict=True):
            final[i] = last
        self.core.reset(ids, in_place=True)  # nobody has seen this step's state yet
        return self.observe(), {"final_obs": final, "_final_obs": over, "final_info": {}, "_final_info": over.copy()}

    def _numbers(self, mask: np.ndarray) -> Tensor:
        return torch.from_numpy(np.flatnonzero(mask)).to(self.device)

    def _actions(self, actions: Any, n: int) -> Tensor:
        return checked_actions(actions, n, self.core.world_model.num_actions, self.core.precision.device)

    def _ids(self, ids: Any, repeats: bool = False) -> Tensor:
        return checked_ids(ids, self.num_envs, self.core.precision.device, repeats)

    def _new_seed(self) -> int:
        return int(self.np_random.integers(2**63))

    def _seed(self, seed: int) -> None:
        """Of what is dreamed, and of the seeds of forks."""
        self.core.seed(seed)
        self.np_random = np.random.default_rng(seed)

    def _out(self, obs: Tensor) -> Any:
        return self._array(obs.clone()) if self.to_numpy else obs  # an array of its own: a dream is never written to

    def _array(self, obs: Tensor) -> Any:
        return obs.cpu().numpy() if self.to_numpy else obs

    def _outcome(self, rew: Tensor, end: Tensor, trunc: Tensor) -> tuple[Any, Any, Any]:
        return self._array(rew.double()) if self.to_numpy else rew, self._array(end), self._array(trunc)
