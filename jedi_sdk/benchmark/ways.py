"""Several ways on from one moment of a real game: the same game many times over, together until there, then apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Int64
from torch import Tensor

from jedi_sdk.collect import Collector
from jedi_sdk.config import Config
from jedi_sdk.explore import Exploring, Sticky
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.types import Policy, Segment


class WaysError(RuntimeError):
    """A game that has no two ways on from one moment: says why."""


@dataclass(frozen=True)
class Together:
    """A ``Policy``: all envs, which show the same, do what ``policy`` does in the first of them."""

    policy: Policy

    def __call__(self, x: Tensor, state: Any, first: Bool[Tensor, "b"]) -> tuple[Tensor, Any]:
        act, state = self.policy(x[:1], state, first[:1])
        return act.expand(len(x)), state


@dataclass(frozen=True)
class Ways:
    """``policy`` plays ``envs``, all of which begin alike, as ``config`` would have it. Behind a moment the first half
    of them do random things that last, and the others what ``policy`` draws.
    """

    envs: VectorEnv
    policy: Policy
    config: Config
    precision: Precision
    rng: Rng

    def __call__(self, steps: int, horizon: int, seed: int) -> Segment | None:
        """The context after ``steps`` steps of play from ``seed``, the same for all, and ``horizon`` frames of each way
        on; None where a game is just over. A way's actions stand there behind its end, too, for a dream that does not
        end. Raises ``WaysError`` where the envs did not stay together.
        """
        n, context = self.envs.num_envs, self.config.context
        replay = Replay(None, n, n * (context + horizon + 2), context=context)  # one more where all games end at once
        device, life_loss_ends = self.precision.device, self.config.env.life_loss_ends
        collector = Collector(self.envs, replay, [seed] * n, device, life_loss_ends)
        self._advance(collector, Together(self.policy), steps)
        moment = replay.count
        _refuse_apart(collector.obs)
        if collector.dead.any():
            return None
        collector.memory = _for_each(collector.memory, n), None
        lasting = Sticky(int(self.envs.single_action_space.n), self.rng)  # pyright: ignore[reportAttributeAccessIssue]
        self._advance(collector, Exploring(self.policy, lasting, n // 2), horizon + 1)
        segment = replay.window(np.full(n, moment), np.arange(n), context + horizon)
        act = torch.cat([segment.act[:, : context - 1], _acted(replay, moment, horizon + 1)], dim=1)
        return replace(segment, act=act).to(device)

    def _advance(self, collector: Collector, policy: Policy, rows: int) -> None:
        end = collector.replay.count + rows
        while collector.replay.count < end:
            with self.precision.autocast():
                collector.collect(policy, 1)


def _acted(replay: Replay, row: int, rows: int) -> Int64[Tensor, "b t"]:
    """What each env was told in the ``rows`` rows from ``row`` on, 0 where it reset itself; a window has 0 from an end
    on."""
    act = replay.columns["act"][np.arange(row, row + rows) % replay.rows]
    return torch.from_numpy(act.T.astype(np.int64))


def _for_each(memory: tuple[Tensor, ...], n: int) -> tuple[Tensor, ...]:
    """What all remember who came here together."""
    return tuple(part.expand(n, -1) for part in memory)


def _refuse_apart(obs: np.ndarray) -> None:
    if (obs != obs[:1]).any():
        raise WaysError(
            "this game goes differently with the same seed and the same actions, so that there are no two ways on from "
            "one moment: make everything random in it draw from the seed of reset()"
        )
