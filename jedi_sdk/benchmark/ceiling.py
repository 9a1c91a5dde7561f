"""What the policy could learn if dreams were perfect: the same actor-critic, trained on true latents of the real game.

Everything else is as in a run: the same networks, loss, optimiser, horizon and batch. Only the world model is gone,
and the game, seen through the frozen encoder, stands in its place, for as many steps as one likes. Where this learns
and the run does not, the dream is at fault; where this does not learn either, the policy is. Or the policy learns
asleep, in dreams that begin where the real game stands and that it goes on playing: what is then missing is what the
world model errs by, and not what a run's dreams begin with or that they were once young.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.awake import Awake
from jedi_sdk.evaluate import Evaluation
from jedi_sdk.interrupt import Interrupt
from jedi_sdk.learner import Learner
from jedi_sdk.process_env import use_threads
from jedi_sdk.progress import RunProgress


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
    agent: JEDI,
    updates: int,
    episodes: int,
    seed: int,
    every: int,
    out: Path | None,
    asleep: bool = False,
    progress: bool = True,
) -> Ceiling:
    """Makes the agent forget its policy and learn another, for ``updates``, from what its encoder makes of the real
    game, or ``asleep`` from dreams that begin there. Every ``every`` updates there is a point of the curve, and the
    agent as it is goes to the folder ``out``. Ctrl-C ends the learning, and what was learned until then is played."""
    agent.forget_policy(seed)
    if out:
        agent.save_pretrained(out)  # where nothing can be written, that is said before the minutes and not behind them
    curve = _learn(agent, updates, seed, every, out, asleep, progress)
    evaluation = agent.evaluate(episodes, seed=seed, progress=progress)
    return Ceiling(evaluation, int(curve[-1]["updates"]), int(curve[-1]["env_steps"]), curve)


def _learn(
    agent: JEDI, updates: int, seed: int, every: int, out: Path | None, asleep: bool, progress: bool
) -> list[dict[str, float]]:
    config = agent.config
    use_threads(config.run.threads)
    learner = Learner(config, agent.world_model, agent.actor_critic, agent.precision)
    curve, bar, interrupt = [], RunProgress(updates, progress), Interrupt()
    with closing(agent.real_env(config.optim.batch_size, to_numpy=False)) as real, bar, interrupt.listening():
        awake = Awake(real, seed)
        for done in range(1, updates + 1):
            terms = _update(agent, learner, awake, done - 1, asleep)
            bar.show(f"{agent.game.name}, {'asleep' if asleep else 'awake'}", done, {"return": awake.recent})
            last = done == updates or interrupt.requested
            if done % every == 0 or last:
                env_steps = done * config.optim.batch_size * config.actor_critic.horizon
                curve.append(_point(done, env_steps, awake, terms))
                bar.line("  ".join(f"{name} {value:.6g}" for name, value in curve[-1].items()))
                if out:
                    agent.save_pretrained(out)
            if last:
                break
    return curve


def _update(agent: JEDI, learner: Learner, awake: Awake, done: int, asleep: bool) -> dict[str, Tensor]:
    c, dreamed = agent.config.actor_critic, None
    with agent.precision.autocast():
        if asleep:
            dreamed = awake.dream(agent.world_model, learner.actor, c.horizon, learner.rng, c.reward)
        lived = awake.rollout(learner.actor, c.horizon, learner.rng)
    return learner.improve(dreamed or lived, done)


def _point(updates: int, env_steps: int, awake: Awake, terms: dict[str, Tensor]) -> dict[str, float]:
    watched = ("policy/entropy", "policy/value", "imagined/reward")
    return {"updates": updates, "env_steps": env_steps, "return": awake.recent} | {k: terms[k].item() for k in watched}
