"""What a score must beat: random play, and the best that is had by always doing the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from jedi_sdk.envs import Game, make_envs
from jedi_sdk.evaluate import Evaluation, evaluate
from jedi_sdk.progress import Report
from jedi_sdk.rng import Rng


@dataclass(frozen=True)
class Always:
    """A ``Policy`` that knows one action; with ``act=None``, one that draws any of ``num_actions``."""

    num_actions: int
    act: int | None
    rng: Rng

    def __call__(self, x: Tensor, state: Any, first: Tensor) -> tuple[Tensor, Any]:
        if self.act is None:
            return self.rng.integers(self.num_actions, len(x)), None
        return torch.full((len(x),), self.act), None


@dataclass(frozen=True)
class Baselines:
    random: Evaluation
    constant: tuple[Evaluation, ...]  # one for each action, in the game's order

    @property
    def best_constant(self) -> int:
        return max(range(len(self.constant)), key=lambda act: self.constant[act].mean)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"best_constant": self.best_constant}


def measure_baselines(game: Game, episodes: int, seed: int, report: Report) -> Baselines:
    """Whole real episodes, as ``jedi eval`` plays them."""
    envs = make_envs(game, 1)
    num_actions = int(envs.single_action_space.n)  # type: ignore[attr-defined]
    envs.close()
    device, rng = torch.device("cpu"), Rng(seed, torch.device("cpu"))
    results = []
    for i, act in enumerate((None, *range(num_actions))):
        report(i / (num_actions + 1), "random actions" if act is None else f"always action {act}")
        results.append(evaluate(Always(num_actions, act, rng), game, episodes, seed, False, device))
    return Baselines(results[0], tuple(results[1:]))
