"""Does the dream know good play from bad? The same policies, from the same moments, awake and asleep.

A world model can be close to the frames and still pay every policy alike, for example because the ball is lost just
where it should bounce. Then there is nothing to be learned in it. So policies that differ in the real game must differ
in the dream, and in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.awake import Awake
from jedi_sdk.dream import imagine
from jedi_sdk.progress import Report
from jedi_sdk.rng import Rng
from jedi_sdk.types import Rollout

WARM_UP = 8  # rollouts before the first that counts: games begin alike, and go apart


class JudgeError(ValueError):
    """Policies that cannot be compared: says why, and what to name instead."""


@dataclass(frozen=True)
class Rates:
    """Per step: signs of rewards, summed, steps that pay or cost, and ends; ``steps`` is how many there were before
    the ends.
    """

    reward: float
    paid: float
    end: float
    steps: int


@dataclass(frozen=True)
class Judgement:
    """``pays``: how often the dream pays or costs over how often the game does, 1 is right; NaN where the game never
    does. ``pays_stderr``: its standard error over games, which play and dream from the same moments.
    """

    policy: str
    real: Rates
    dreamed: Rates
    pays: float
    pays_stderr: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(agent: JEDI, others: Mapping[str, JEDI], steps: int, seed: int, report: Report) -> list[Judgement]:
    """A random policy, the agent's own, and those of ``others``, which must see through the same encoder.

    Each plays at least ``steps`` real steps; from where its games stand, time and again, it dreams as far as it plays.
    """
    for name, other in others.items():
        _refuse_other_encoder(agent, name, other)
    policies = {"random": _random(agent), "its own": agent.actor_critic}
    policies |= {name: other.actor_critic for name, other in others.items()}
    judged = []
    for i, (name, policy) in enumerate(policies.items()):
        report(i / len(policies), name)
        within = partial(_report_share, report, i, len(policies))
        judged.append(Judgement(name, *_compare(agent, policy, steps, seed, within)))
    return judged


def _report_share(report: Report, before: int, of: int, share: float) -> None:
    report((before + min(share, 1.0)) / of)


def _compare(
    agent: JEDI, policy: ActorCritic, steps: int, seed: int, report: Callable[[float], None]
) -> tuple[Rates, Rates, float, float]:
    config, precision, model = agent.config, agent.precision, agent.world_model
    actor, horizon = Actor(policy, Rng(seed, precision.device)), config.actor_critic.horizon
    real_env = agent.real_env(config.optim.batch_size, to_numpy=False)
    real, dreamed = [], []
    try:
        awake = Awake(real_env, seed)
        with precision.autocast():
            for _ in range(WARM_UP):
                awake.rollout(actor, horizon, actor.rng)
            while (played := sum(int(rollout.mask.sum()) for rollout in real)) < steps:
                report(played / steps)
                now = real_env.starts()
                memory, state = policy.burn_in(now.z, now.mask), model.start_from(now.z, now.act, now.mask)
                dreamed.append(imagine(model, actor, state, horizon, actor.rng, memory))
                real.append(awake.rollout(actor, horizon, actor.rng))
    finally:
        real_env.close()
    return _rates(real), _rates(dreamed), *ratio_of_shares(*_paid(dreamed), *_paid(real))


def _rates(rollouts: list[Rollout]) -> Rates:
    reward = sum(float((rollout.rew * rollout.mask).sum()) for rollout in rollouts)
    ends = sum(int((rollout.end & rollout.mask).sum()) for rollout in rollouts)
    paid, steps = (int(count.sum()) for count in _paid(rollouts))
    return Rates(reward / steps, paid / steps, ends / steps, steps)


def _paid(rollouts: list[Rollout]) -> tuple[Float64[np.ndarray, "games"], Float64[np.ndarray, "games"]]:
    """By game: steps with a reward, and all steps before the ends."""
    paid = torch.stack([(rollout.rew.ne(0) & rollout.mask).sum(1) for rollout in rollouts]).sum(0)
    steps = torch.stack([rollout.mask.sum(1) for rollout in rollouts]).sum(0)
    return paid.double().cpu().numpy(), steps.double().cpu().numpy()


def ratio_of_shares(
    hits: Float64[np.ndarray, "n"],
    tries: Float64[np.ndarray, "n"],
    other_hits: Float64[np.ndarray, "n"],
    other_tries: Float64[np.ndarray, "n"],
) -> tuple[float, float]:
    """One share over another, counted in ``n`` groups, and its standard error by the jackknife (Tukey 1958): one group
    left out at a time, so that what happens within a group need not be independent. NaN where the other share is 0 or
    nobody tries; the error also where that comes of leaving one group out.
    """

    def ratio(a: Any, m: Any, b: Any, n: Any) -> Any:
        return np.divide(a * n, b * m, out=np.full(np.shape(b), np.nan), where=np.asarray(b * m) != 0)

    counts = (hits, tries, other_hits, other_tries)
    without = ratio(*(count.sum() - count for count in counts))
    spread = np.square(without - without.mean()).sum() * (len(hits) - 1) / len(hits)
    return float(ratio(*(count.sum() for count in counts))), float(np.sqrt(spread))


def _random(agent: JEDI) -> ActorCritic:
    """A fresh actor is uniform."""
    fresh = ActorCritic(agent.world_model.latent_shape, agent.world_model.num_actions, agent.config.actor_critic)
    return agent.precision.place(fresh)


def _refuse_other_encoder(agent: JEDI, name: str, other: JEDI) -> None:
    ours, theirs = agent.world_model.encoder.state_dict(), other.world_model.encoder.state_dict()
    if ours.keys() != theirs.keys() or any(not torch.equal(ours[key], theirs[key]) for key in ours):
        raise JudgeError(
            f"{name} sees through another encoder, so its policy cannot act here: name an agent that was made from "
            "this one, as `jedi bench ceiling RUN --out DIR` does"
        )
