"""The full measurement: play held-out episodes, dream from their contexts, compare."""

from __future__ import annotations

import functools
import operator
from typing import Literal

import numpy as np
import torch

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.config import Config
from jedi_sdk.envs import Game
from jedi_sdk.fidelity.displacement import Displacement, measure_displacement
from jedi_sdk.fidelity.gap import ReturnGap, imagined_return, real_return, return_gap
from jedi_sdk.fidelity.held_out import HeldOut, play_held_out
from jedi_sdk.fidelity.open_loop import OpenLoop, open_loop
from jedi_sdk.fidelity.positions import has_positions
from jedi_sdk.fidelity.progress import Progress, part, silent
from jedi_sdk.fidelity.report import Fidelity
from jedi_sdk.precision import Precision
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel

SEED = 1_000_003  # far from the seeds of training, so that held-out play starts from states of its own
LOCATED = 3  # steps with known positions, by context: the ball is not always in play, and a probe wants many


def measure_fidelity(
    world_model: WorldModel,
    actor_critic: ActorCritic,
    game: Game,
    config: Config,
    precision: Precision,
    contexts: int = 2000,
    horizon: int = 15,
    seed: int = SEED,
    policy: Literal["agent", "random"] = "agent",
    progress: Progress | None = None,
) -> Fidelity:
    """Plays real episodes with the agent's own sampled policy (``config.env.epsilon`` of its actions
    random) or a random one, and measures the dreams from ``contexts`` distinct moments of them over
    ``horizon`` steps.

    ``progress(done, what)`` is called along the way, ``done`` from 0 to 1. Networks stay where
    ``precision`` put them.

    Raises:
        ValueError: ``contexts`` or ``horizon`` below 1.
    """
    if contexts < 1 or horizon < 1:
        raise ValueError(f"contexts and horizon must be at least 1, not {contexts} and {horizon}")
    progress = progress or silent
    rng = Rng(seed, precision.device)
    epsilon = 1.0 if policy == "random" else config.env.epsilon
    awake = Actor(actor_critic, rng, world_model.encode, epsilon=epsilon)
    asleep = Actor(actor_critic, rng, epsilon=epsilon)
    located = has_positions(game)
    shares = (0.15, 0.6) if located else (0.25, 1.0)
    held_out = play_held_out(awake, game, config, precision, contexts, horizon, seed, part(progress, 0.0, shares[0]))
    loop, gap = _dream(held_out, world_model, asleep, precision, part(progress, *shares))
    displacement: tuple[Displacement, ...] = ()
    if located:
        frames, rest = LOCATED * contexts, part(progress, shares[1], 1.0)
        displacement = measure_displacement(world_model, awake, game, config, precision, rng, frames, seed, rest)
    return Fidelity(
        game=game.name,
        policy=_in_words(policy, epsilon),
        seed=seed,
        contexts=contexts,
        steps=held_out.steps,
        episodes=len(held_out.episodes),
        score=float(np.mean([e.score for e in held_out.episodes])) if held_out.episodes else float("nan"),
        open_loop=loop,
        gap=gap,
        displacement=displacement,
    )


def _in_words(policy: Literal["agent", "random"], epsilon: float) -> str:
    if policy == "random":
        return "a uniformly random policy"
    return f"the agent's own sampled policy with {epsilon:.0%} random actions"


def _dream(
    held_out: HeldOut, world_model: WorldModel, asleep: Actor, precision: Precision, progress: Progress
) -> tuple[OpenLoop, ReturnGap]:
    """Both comparisons from every context: along the recorded actions, and by the policy's own."""
    loops, imagined, real, whole = [], [], [], []
    for recorded in held_out.batches():
        segment = recorded.to(precision.device)
        with precision.autocast():
            loops.append(open_loop(world_model, segment, asleep.rng))
            imagined.append(imagined_return(world_model, asleep, segment, held_out.horizon).cpu())
        returns, untouched = real_return(recorded, world_model.context)
        real.append(returns)
        whole.append(untouched)
        progress(sum(map(len, real)) / len(held_out.rows), "dreaming")
    kept = torch.cat(whole)
    gap = return_gap(torch.cat(imagined)[kept], torch.cat(real)[kept], held_out.stretches[kept.numpy()])
    return functools.reduce(operator.add, loops), gap
