"""The gap between imagined and real return: does the policy fare in its dreams as it fares in the world?

A return is the plain sum of reward signs over the next ``horizon`` steps, until the episode (or the dream)
ends; real ones are those recorded behind each context, imagined ones come from dreams of the same policy
from the same context.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from jedi_sdk.actor_critic import Actor
from jedi_sdk.dream import imagine
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel


@dataclass(frozen=True)
class ReturnGap:
    """Means over ``contexts`` and their standard errors; ``gap`` is imagined minus real, context by
    context.
    """

    imagined: float
    imagined_stderr: float
    real: float
    real_stderr: float
    gap: float
    gap_stderr: float
    contexts: int


def real_return(segment: Segment, context: int) -> tuple[Float[Tensor, "b"], Bool[Tensor, "b"]]:
    """The recorded return behind each context, and whether it is whole: not cut short by a time limit."""
    after = segment[:, context - 1 :]
    real = after.mask[:, :-1] & after.mask[:, 1:]
    return (after.rew[:, :-1] * real).sum(1), ~(after.trunc[:, :-1] & real).any(1)


def imagined_return(world_model: WorldModel, actor: Actor, segment: Segment, horizon: int) -> Float[Tensor, "b"]:
    """The return dreamed from each context; the policy's memory is burnt in on it, as in training."""
    state = world_model.start(segment[:, : world_model.context])
    memory = actor.actor_critic.burn_in(state.z, segment.mask[:, : world_model.context])
    rollout = imagine(world_model, actor, state, horizon, actor.rng, memory)
    return (rollout.rew * rollout.mask).sum(1)


def return_gap(imagined: Float[Tensor, "n"], real: Float[Tensor, "n"], group: np.ndarray) -> ReturnGap:
    """``group`` (n,) names the stretch of play from which a context comes: within one, returns overlap."""
    columns = [_mean_and_stderr(x.double().numpy(), group) for x in (imagined, real, imagined - real)]
    return ReturnGap(*(value for column in columns for value in column), contexts=len(real))


def _mean_and_stderr(x: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """The standard error holds under any dependence within a group (cluster-robust); NaN for a single
    group.
    """
    if len(x) == 0:
        return float("nan"), float("nan")
    _, member = np.unique(group, return_inverse=True)
    sums = np.bincount(member, weights=x - x.mean())
    n = len(sums)
    stderr = np.sqrt(np.square(sums).sum() * n / (n - 1)) / len(x) if n > 1 else float("nan")
    return float(x.mean()), float(stderr)
