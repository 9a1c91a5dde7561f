"""Random actions that last: what a policy does not do yet, so that dreams know what would come of it.

A dream can only pay for what the world model has seen. A policy that has settled somewhere, a paddle against the wall,
collects nothing else, its dreams know nothing else, and it never learns better: ``docs/experiments/policy.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from jedi_sdk.collect import Episode
from jedi_sdk.config import EnvConfig
from jedi_sdk.rng import Rng
from jedi_sdk.types import Policy

CHANGES = 0.3  # how often a new action is drawn


@dataclass(frozen=True)
class Sticky:
    """A ``Policy``: each env keeps its action and draws a new one in ``CHANGES`` of the steps.

    Uniform random play jitters on the spot; this one crosses the screen, so that more of the game is seen.
    """

    num_actions: int
    rng: Rng

    def __call__(
        self, x: Tensor, state: Int64[Tensor, "b"] | None, first: Bool[Tensor, "b"]
    ) -> tuple[Int64[Tensor, "b"], Int64[Tensor, "b"]]:
        act = self.rng.integers(self.num_actions, len(x))
        if state is not None:
            act = torch.where(self.rng.bernoulli(CHANGES, len(x)), act, state)
        return act, act


@dataclass(frozen=True)
class Exploring:
    """A ``Policy``: ``policy``'s, but that the first ``explorers`` envs, or none, do what ``explore`` does."""

    policy: Policy
    explore: Policy
    explorers: int

    def __call__(self, x: Tensor, state: Any, first: Bool[Tensor, "b"]) -> tuple[Int64[Tensor, "b"], Any]:
        remembered, lasting = (None, None) if state is None else state
        act, remembered = self.policy(x, remembered, first)
        if not (n := self.explorers):  # they may stop in the middle of a game: the memory keeps its shape
            return act, (remembered, None)
        other, lasting = self.explore(x[:n], lasting, first[:n])
        return torch.cat([other, act[n:]]), (remembered, lasting)


@dataclass
class Explorers:
    """How many of the envs of ``config`` explore, and which games the policy alone has played, for its score."""

    config: EnvConfig
    mixed: set[int] = field(default_factory=set)  # envs whose running game has been explored in

    def count(self, env_steps: int) -> int:
        """The first so many explore after ``env_steps`` real steps: never all, and none after ``env.explore_steps``."""
        over = 0 < self.config.explore_steps <= env_steps
        return 0 if over else min(self.config.explorers, self.config.num_envs - 1)

    def own(self, episodes: list[Episode], explorers: int) -> list[Episode]:
        """Those of ``episodes`` that the policy alone has played; to be asked after each collection."""
        if explorers:
            self.mixed = set(range(explorers))
        own = [episode for episode in episodes if episode.env not in self.mixed]
        if not explorers:
            self.mixed -= {episode.env for episode in episodes}
        return own
