"""The dream, for whoever steps it: torch in, torch out, one forward pass for all.

Who resets a finished env is what the readers of a dream disagree on. So this never does: gymnasium's ``DreamEnv``
and the adaptors of other libraries are translations of it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from jedi_sdk.dream.arguments import (
    DreamError,
    changed_sampler,
    checked_meanings,
    refuse_below_one,
    refuse_other_than,
)
from jedi_sdk.dream.starts import Starts
from jedi_sdk.dream.view import Probe, View
from jedi_sdk.precision import Precision, full_precision
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.heads import Reading


@dataclass(frozen=True)
class Moment:
    """Where ``b`` dreams stand: their state, the steps they took, and whether they are over.

    The latter two lie on the host, where it is decided who begins anew: for so few numbers numpy is quickest.
    """

    state: DreamState
    elapsed: Int64[np.ndarray, "b"]
    over: Bool[np.ndarray, "b"]

    def __len__(self) -> int:
        return len(self.elapsed)

    @cached_property
    def some_over(self) -> bool:
        return bool(self.over.any())

    def __getitem__(self, ids: Int64[Tensor, "s"]) -> Moment:
        """Some of them, by their numbers, which may repeat."""
        numbers = ids.cpu().numpy()
        return Moment(self.state[ids], self.elapsed[numbers], self.over[numbers])

    def put(self, ids: Int64[Tensor, "s"], some: Moment) -> Moment:
        """These dreams, but at ``ids`` those of ``some``."""
        return Moment(self.state.put(ids, some.state), *self._told(ids, some))

    def put_(self, ids: Int64[Tensor, "s"], some: Moment) -> Moment:
        """The same, and this moment's state is written to: for who has not handed it out."""
        self.state.put_(ids, some.state)
        return Moment(self.state, *self._told(ids, some))

    def _told(self, ids: Tensor, some: Moment) -> tuple[np.ndarray, np.ndarray]:
        numbers, elapsed, over = ids.cpu().numpy(), self.elapsed.copy(), self.over.copy()
        elapsed[numbers], over[numbers] = some.elapsed, some.over
        return elapsed, over


def begun(state: DreamState) -> Moment:
    """``state`` as that of dreams that have taken no step yet."""
    b = len(state.z)
    return Moment(state, np.zeros(b, np.int64), np.zeros(b, bool))


class Dream:
    """``num_envs`` dreams side by side, each truncated after ``horizon`` steps.

    They begin at ``starts``, drawn at random. ``obs``, ``stack`` and ``probe`` are those of a ``View``. ``reward``
    is the sign's ``"sample"``, its ``"mean"`` (between -1 and 1) or its likeliest value (``"argmax"``); ends are
    always sampled. ``sampler`` holds what is to differ from the world model's own, as ``{"steps": 1}``.
    ``action_meanings`` has a word for each action, where the game says them.
    """

    def __init__(
        self,
        world_model: WorldModel,
        num_envs: int,
        horizon: int,
        starts: Starts | None = None,
        obs: str = "latent",
        stack: int = 1,
        reward: str = "sample",
        sampler: Mapping[str, Any] | None = None,
        probe: Probe | None = None,
        precision: Precision | None = None,
        action_meanings: Sequence[str] | None = None,
    ) -> None:
        refuse_below_one("num_envs", num_envs, "there must be a dream to step")
        refuse_below_one("horizon", horizon, "a dream takes at least one step before it is truncated")
        refuse_other_than("reward", reward, get_args(Reading))
        self.world_model, self.num_envs, self.horizon = world_model, num_envs, horizon
        self.starts, self.action_meanings = starts, checked_meanings(action_meanings, world_model.num_actions)
        self.reward: Reading = cast(Reading, reward)
        self.view = View(world_model, obs, stack, probe)
        self.precision = precision or full_precision(world_model)
        self.sampler = changed_sampler(world_model, world_model.sampler, sampler) if sampler else world_model.sampler
        self._moment: Moment | None = None
        self._beginnings: DreamState | None = None
        self.seed(0)

    def seed(self, seed: int) -> None:
        """From here on the same calls draw the same noise."""
        self.rng = Rng(seed % 2**63, self.precision.device)

    def set_sampler(self, **changes: Any) -> None:
        """Trades quality for speed from the next step on: ``steps=1``, ``method="heun"``, ``s_churn=1.0``.

        Raises ``ConfigError``.
        """
        self.sampler = changed_sampler(self.world_model, self.sampler, changes)

    # -- going on -----------------------------------------------------------------------------------------------

    def reset(
        self, ids: Int64[Tensor, "s"] | None = None, contexts: Starts | None = None, in_place: bool = False
    ) -> Tensor:
        """New dreams, everywhere or at ``ids``, from ``contexts`` (one for each, or one for all) or from ``starts``.

        ``in_place`` is quicker and writes into the state that the latest ``step`` made, so into the observations that
        it returned: for who has kept neither.
        """
        fresh = begun(self._begin(self.num_envs if ids is None else len(ids), contexts))
        if ids is None:
            self._moment = fresh
        else:
            self._moment = self.moment.put_(ids, fresh) if in_place else self.moment.put(ids, fresh)
        return self.view(fresh.state)

    def step(
        self, act: Int64[Tensor, "s"], ids: Int64[Tensor, "s"] | None = None
    ) -> tuple[Tensor, Float[Tensor, "s"], Bool[Tensor, "s"], Bool[Tensor, "s"]]:
        """One step of all dreams, or of ``ids`` alone: what they see, rewards, ends, truncations.

        Noise is drawn for the stepped dreams together. A dream that ends in its last step is not truncated.
        """
        now = self.moment if ids is None else self.moment[ids]
        if now.some_over:
            self._refuse_over(ids)
        state, rew, end = self.imagine(now.state, act)
        ended, elapsed = end.cpu().numpy(), now.elapsed + 1
        trunc = (elapsed >= self.horizon) & ~ended
        after = Moment(state, elapsed, ended | trunc)
        self._moment = after if ids is None else self.moment.put(ids, after)
        return self.view(state), rew, end, torch.from_numpy(trunc).to(end.device)

    def imagine(
        self, state: DreamState, act: Int64[Tensor, "s"]
    ) -> tuple[DreamState, Float[Tensor, "s"], Bool[Tensor, "s"]]:
        """The world model's own step, in the agent's precision: all that a dream computes."""
        with self.precision.autocast():
            return self.world_model.step(state, act, self.rng, self.sampler, self.reward)

    @property
    def moment(self) -> Moment:
        """Where all dreams stand; assign to it to go on from elsewhere."""
        if self._moment is None:
            raise DreamError("these dreams have not begun: call reset() first, once, without a reset_mask")
        return self._moment

    @moment.setter
    def moment(self, moment: Moment) -> None:
        self._moment = moment

    @property
    def begun(self) -> bool:
        return self._moment is not None

    def fork(self, ids: Int64[Tensor, "s"]) -> Dream:
        """A dream of its own that stands where ``ids`` stand and shares all else but the noise: seed it."""
        twin = copy.copy(self)
        twin.num_envs, twin.moment = len(ids), self.moment[ids]
        twin.seed(0)
        return twin

    # -- beginning ----------------------------------------------------------------------------------------------

    def _begin(self, n: int, contexts: Starts | None) -> DreamState:
        if contexts is None:
            return self._drawn(n)
        if len(contexts) not in (1, n):
            raise DreamError(
                f"{len(contexts)} contexts for {n} dreams: give {n}, one for each dream that is reset, or 1 for all"
            )
        state = self._start(contexts)
        return state if len(contexts) == n else state[torch.zeros(n, dtype=torch.int64, device=state.z.device)]

    def _drawn(self, n: int) -> DreamState:
        if self.starts is None:
            raise DreamError(
                "there is nowhere to begin: the agent has not been trained, or its checkpoint has no "
                "starts.safetensors. Train on for one checkpoint, pass starts=, or begin from frames of your own, "
                "reset(options={'frames': ..., 'actions': ...}), with autoreset_mode='Disabled'"
            )
        if self._beginnings is None:  # the heads see every start once, not at every reset
            self._beginnings = self._start(self.starts)
        return self._beginnings[self.rng.integers(len(self.starts), n)]

    def _start(self, contexts: Starts) -> DreamState:
        needed = (self.world_model.context, *self.world_model.latent_shape)
        if contexts.z.shape[1:] != needed:
            raise DreamError(
                f"these contexts hold latents of {tuple(contexts.z.shape[1:])}, but this dream goes on from {needed}: "
                "take the starts and the real env of the same agent"
            )
        with self.precision.autocast():
            return self.world_model.start_from(contexts.z, contexts.act, contexts.mask)

    def _refuse_over(self, ids: Tensor | None) -> None:
        over = np.flatnonzero(self.moment.over).tolist()
        stepped = over if ids is None else sorted(set(over) & set(ids.tolist()))
        raise DreamError(
            f"the dreams {stepped} are over: begin new ones there before the next step, for example by "
            "reset(options={'reset_mask': terminated | truncated})"
        )
