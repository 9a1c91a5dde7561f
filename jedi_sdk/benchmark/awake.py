"""The real game in the world model's place: what dreams a policy, dreams it awake."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor

from jedi_sdk.actor_critic import Actor
from jedi_sdk.dream import RealEnv, imagine
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, LSTMState, Rollout
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.heads import Reading

RECENT = 100  # finished real games that are remembered


class Awake:
    """The real game in the world model's place: ``imagine`` steps it. ``ends`` are those the world model learns: of
    lives, if it learns them, and games; one that a time limit cuts off is none, and goes on in the next one.
    """

    def __init__(self, real: RealEnv, seed: int) -> None:
        self.real = real
        real.reset(seed=seed)
        self.score, self.scores = np.zeros(real.num_envs), deque(maxlen=RECENT)

    def step(self, state: DreamState, act: Tensor, rng: Rng) -> tuple[DreamState, Tensor, Tensor]:
        """One real step of all games. ``state`` is where they stand already, and ``rng`` is not needed."""
        _, rew, term, trunc, _ = self.real.step(act)
        self._count(rew.cpu().numpy(), (term | trunc).cpu().numpy())
        return self._state, rew.sign().float(), term | torch.as_tensor(self.real.lost, device=act.device)

    def rollout(self, actor: Actor, horizon: int, rng: Rng) -> Rollout:
        """The next ``horizon`` steps of all games, the policy's memory burnt in on the last frames as for a dream."""
        return imagine(self, actor, self._state, horizon, rng, self._memory(actor))

    def dream(self, world_model: WorldModel, actor: Actor, horizon: int, rng: Rng, reward: Reading) -> Rollout:
        """What ``world_model`` makes of them from here; the games stay where they are."""
        now = self.real.starts()
        state = world_model.start_from(now.z, now.act, now.mask)  # with the heads' memory, which awake nobody asks
        return imagine(world_model, actor, state, horizon, rng, self._memory(actor), reward=reward)

    def _memory(self, actor: Actor) -> LSTMState:
        now = self.real.starts()
        return actor.actor_critic.burn_in(now.z, now.mask)

    @property
    def recent(self) -> float:
        """The mean return of the games that ended last; NaN before one has."""
        return float(np.mean(self.scores)) if self.scores else float("nan")

    @property
    def _state(self) -> DreamState:
        assert self.real.history is not None
        return self.real.history.state

    def _count(self, rew: np.ndarray, over: np.ndarray) -> None:
        self.score += rew
        self.scores.extend(self.score[over])
        self.score[over] = 0
