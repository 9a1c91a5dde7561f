"""What the policy could learn if dreams were perfect: the same actor-critic, trained on true latents of the real game.

Everything else is as in a run: the same networks, loss, optimiser, horizon and batch. Only the world model is gone,
and the game, seen through the frozen encoder, stands in its place, for as many steps as one likes. Where this learns
and the run does not, the dream is at fault; where this does not learn either, the policy is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.awake import Awake
from jedi_sdk.evaluate import Evaluation
from jedi_sdk.learner import Learner
from jedi_sdk.progress import Report


@dataclass(frozen=True)
class Ceiling:
    """The learned policy's score, and on the way: updates, real steps, mean return of the latest episodes."""

    evaluation: Evaluation
    updates: int
    env_steps: int
    curve: list[dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_ceiling(
    agent: JEDI, updates: int, episodes: int, seed: int, every: int, out: Path | None, report: Report
) -> Ceiling:
    """Makes the agent forget its policy and learn another, for ``updates``, from what its encoder makes of the real
    game. Every ``every`` updates there is a point of the curve, and the agent as it is goes to the folder ``out``."""
    config, precision = agent.config, agent.precision
    agent.forget_policy(seed)
    learner = Learner(config, agent.world_model, agent.actor_critic, precision)
    real = agent.real_env(config.optim.batch_size, to_numpy=False)
    curve, per_update = [], config.optim.batch_size * config.actor_critic.horizon
    try:
        awake = Awake(real, config.env.life_loss_ends, seed)
        for i in range(1, updates + 1):
            with precision.autocast():
                rollout = awake.rollout(learner.actor, config.actor_critic.horizon, learner.rng)
            with precision.autocast():
                losses = agent.actor_critic.loss(rollout)
            terms = learner.descend("actor_critic", losses, i - 1)
            if i % every == 0 or i == updates:
                curve.append(_point(i, i * per_update, awake, terms))
                report(i, f"return {curve[-1]['return']:.3g}")
                if out:
                    agent.save_pretrained(out)
    finally:
        real.close()
    return Ceiling(agent.evaluate(episodes, seed=seed, progress=False), updates, updates * per_update, curve)


def _point(updates: int, env_steps: int, awake: Awake, terms: dict[str, Tensor]) -> dict[str, float]:
    recent = float(np.mean(awake.scores)) if awake.scores else float("nan")
    watched = ("policy/entropy", "policy/value", "imagined/reward")
    return {"updates": updates, "env_steps": env_steps, "return": recent} | {k: terms[k].item() for k in watched}
