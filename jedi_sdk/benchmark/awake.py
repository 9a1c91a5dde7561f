"""The real game in the world model's place: what dreams a policy, dreams it awake."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor

from jedi_sdk.actor_critic import Actor
from jedi_sdk.collect import lives_left
from jedi_sdk.dream import RealEnv, imagine
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, LSTMState, Rollout
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.heads import Reading

RECENT = 100  # finished real games that are remembered


class Awake:
    """The real game in the world model's place: ``imagine`` steps it. ``ends`` are those the world model learns: a game
    that a time limit cuts off is none, and goes on in the next one.
    """

    def __init__(self, real: RealEnv, life_loss_ends: bool, seed: int) -> None:
        self.real, self.life_loss_ends = real, life_loss_ends
        _, info = real.reset(seed=seed)
        self.lives = lives_left(info, real.num_envs)
        self.score, self.scores = np.zeros(real.num_envs), deque(maxlen=RECENT)

    def step(self, state: DreamState, act: Tensor, rng: Rng) -> tuple[DreamState, Tensor, Tensor]:
        """One real step of all games. ``state`` is where they stand already, and ``rng`` is not needed."""
        _, rew, term, trunc, info = self.real.step(act)
        lives, over = lives_left(info, len(rew)), (term | trunc).cpu().numpy()
        lost = term.cpu().numpy() | ((lives < self.lives) & self.life_loss_ends)
        self.lives = lives
        self._count(rew.cpu().numpy(), over)
        return self._state, rew.sign().float(), torch.as_tensor(lost, device=act.device)

    def rollout(self, actor: Actor, horizon: int, rng: Rng) -> Rollout:
        """The next ``horizon`` steps of all games, the policy's memory burnt in on the last frames as for a dream."""
        return imagine(self, actor, self._state, horizon, rng, self._memory(actor))

    def dream(self, world_model: WorldModel, actor: Actor, horizon: int, rng: Rng, reward: Reading) -> Rollout:
        """What ``world_model`` makes of them from here; the games stay where they are."""
        return imagine(world_model, actor, self._state, horizon, rng, self._memory(actor), reward=reward)

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
