"""The real world -> replay: the only place that steps a training environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from jedi_sdk.envs.lives import Lives
from jedi_sdk.replay import Replay
from jedi_sdk.types import Policy


@dataclass(frozen=True)
class Episode:
    """A finished real episode: the sum of its raw rewards, its steps, and which of the envs played it."""

    score: float
    length: int
    env: int = 0


class Collector:
    """Steps ``envs`` (gymnasium's NEXT_STEP autoreset) with any policy and writes every frame into ``replay``.

    Where the env reports ``lives`` (as ALE's do) and ``life_loss_ends``, a lost life ends the training episode: the
    env plays on, the frame after the loss is both the last of one episode and the first of the next. ``seed``: of the
    first env, the others counting up from it, or one for each.
    """

    def __init__(
        self,
        envs: VectorEnv,
        replay: Replay,
        seed: int | list[int],
        device: torch.device | str,
        life_loss_ends: bool = True,
    ) -> None:
        self.envs, self.replay, self.device, self.life_loss_ends = envs, replay, device, life_loss_ends
        n = envs.num_envs
        self.obs, info = envs.reset(seed=seed)  # pyright: ignore[reportArgumentType]  # all of gymnasium's take lists
        self.lives = Lives(n, info)
        self.step = np.zeros(n, np.int32)  # place in the training episode
        self.dead = np.zeros(n, bool)  # the env shows its last frame and will reset
        self.scores, self.lengths = np.zeros(n), np.zeros(n, np.int64)
        self.memory: Any = None
        self.begun = False  # until something is collected, what lies in the replay is as it was

    def collect(self, policy: Policy, num_steps: int) -> tuple[int, list[Episode]]:
        """At least ``num_steps`` real steps, over all envs; returns how many, and the episodes that finished."""
        steps, episodes = 0, []
        while steps < num_steps:
            steps += int((~self.dead).sum())
            episodes += self._advance(policy)
        return steps, episodes

    def _advance(self, policy: Policy) -> list[Episode]:
        act = self._act(policy)
        obs, rew, term, trunc, info = self.envs.step(act)
        alive = ~self.dead
        lost = self.lives.lost(info, begun=self.dead) & self.life_loss_ends
        end = (term | lost) & alive
        if not self.begun:  # no segment may cross from what lay there to what comes now
            self.replay.cut()
            self.begun = True
        self.replay.add(
            obs=self.obs,
            act=act * alive,
            rew=np.sign(rew) * alive,
            end=end,
            trunc=trunc & alive & ~end,
            dead=self.dead,
            step=self.step,
        )
        self.scores += np.asarray(rew) * alive
        self.lengths += alive
        done = (term | trunc) & alive
        finished = [Episode(float(self.scores[i]), int(self.lengths[i]), int(i)) for i in np.flatnonzero(done)]
        self.scores[done], self.lengths[done] = 0, 0
        # A reset env begins anew, and so does one that lost a life but plays on; a last frame ends its episode.
        self.step = np.where(self.dead | (end & ~done), 0, self.step + 1).astype(np.int32)
        self.obs, self.dead = obs, done
        return finished

    def _act(self, policy: Policy) -> np.ndarray:
        first = torch.from_numpy(self.step == 0).to(self.device)
        act, self.memory = policy(torch.from_numpy(self.obs).to(self.device), self.memory, first)
        return act.cpu().numpy()
