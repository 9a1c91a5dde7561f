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
from jedi_sdk.fidelity.positions import has_positions, play_located
from jedi_sdk.fidelity.progress import Progress, part, silent
from jedi_sdk.fidelity.report import Fidelity
from jedi_sdk.fidelity.subject import Player, Subject
from jedi_sdk.precision import Precision
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel

HELD_OUT = 1_000_003  # added to the seed: held-out play and its dreams share no seed with training
LOCATED = 5  # steps with known positions, by context: not all can be used, and a probe wants many


def measure_fidelity(
    world_model: WorldModel,
    actor_critic: ActorCritic,
    game: Game,
    config: Config,
    precision: Precision,
    contexts: int = 2000,
    horizon: int = 15,
    seed: int = 0,
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
    epsilon = 1.0 if policy == "random" else config.env.epsilon
    rng = Rng(seed + HELD_OUT, precision.device)
    awake = Actor(actor_critic, rng, world_model.encode, epsilon=epsilon)
    asleep = Actor(actor_critic, rng, epsilon=epsilon)
    player, subject = Player(game, awake, config, precision, seed + HELD_OUT), Subject(world_model, precision, rng)
    located = has_positions(game)
    play_until, dream_until = (0.1, 0.7) if located else (0.15, 1.0)
    held_out = play_held_out(player, contexts, horizon, part(progress, 0.0, play_until))
    loop, gap = _dream(held_out, subject, asleep, part(progress, play_until, dream_until))
    displacement: tuple[Displacement, ...] = ()
    if located:
        played = play_located(player, LOCATED * contexts, part(progress, dream_until, 0.9))
        displacement = measure_displacement(subject, played, part(progress, 0.9, 1.0))
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


def _dream(held_out: HeldOut, subject: Subject, asleep: Actor, progress: Progress) -> tuple[OpenLoop, ReturnGap]:
    """Both comparisons from every context: along the recorded actions, and by the policy's own."""
    model, horizon, loops, imagined, real, whole = subject.world_model, held_out.horizon, [], [], [], []
    for recorded in held_out.batches():
        segment = recorded.to(subject.precision.device)
        with subject.precision.autocast():
            loops.append(open_loop(model, segment, subject.rng))
            imagined.append(imagined_return(model, asleep, segment, horizon).cpu())
        returns, untouched = real_return(recorded, model.context)
        real.append(returns)
        whole.append(untouched)
        progress(sum(map(len, real)) / len(held_out.rows), "dreaming")
    kept = torch.cat(whole)
    gap = return_gap(torch.cat(imagined)[kept], torch.cat(real)[kept], held_out.stretches[kept.numpy()])
    return functools.reduce(operator.add, loops), gap
