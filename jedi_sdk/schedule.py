"""What is to be done when: cumulative targets per epoch, so that a resumed run only has to look at its counters."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from jedi_sdk.check import check
from jedi_sdk.config import Config, ScheduleConfig, Work


@dataclass
class Counters:
    """What a run has done so far."""

    epoch: int = 0
    env_steps: int = 0
    denoiser: int = 0
    heads: int = 0
    actor_critic: int = 0
    episodes: int = 0
    idle_epochs: int = 0  # epochs without new data that lie before new data, in a run that was extended
    seconds: float = 0.0

    @property
    def updates(self) -> int:
        return self.denoiser + self.heads + self.actor_critic

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def extended(config: Config, env_steps: int) -> Config:
    """``config`` for ``env_steps`` real steps in all. Raises ``ConfigError``."""
    longer = replace(config, schedule=replace(config.schedule, env_steps=env_steps))
    check(longer)
    return longer


def collecting_epochs(schedule: ScheduleConfig, env_steps: int) -> int:
    """Epochs in which ``env_steps`` real steps are collected: one long one, and as many as the rest fills."""
    rest = max(0, env_steps - schedule.first_epoch.env_steps)
    return 1 + -(-rest // schedule.epoch.env_steps)


def num_epochs(schedule: ScheduleConfig, idle: int = 0) -> int:
    """The collecting epochs, and the final ones without new data."""
    return collecting_epochs(schedule, schedule.env_steps) + schedule.final_epochs + idle


def target(schedule: ScheduleConfig, epoch: int, idle: int = 0) -> Work:
    """What must have been done, in all, by the end of ``epoch`` (from 0)."""
    first, each = schedule.first_epoch, schedule.epoch
    return Work(
        env_steps=min(schedule.env_steps, first.env_steps + max(0, epoch - idle) * each.env_steps),
        denoiser=first.denoiser + epoch * each.denoiser,
        heads=first.heads + epoch * each.heads,
        actor_critic=first.actor_critic + epoch * each.actor_critic,
    )


def share(schedule: ScheduleConfig, epoch: int) -> Work:
    """What ``epoch`` (from 0) adds."""
    return schedule.epoch if epoch else schedule.first_epoch


def total_work(schedule: ScheduleConfig, idle: int = 0) -> Work:
    """Real steps and updates of each kind in a whole run."""
    return target(schedule, num_epochs(schedule, idle) - 1, idle)


def next_part(done: Counters, goal: Work, share: Work) -> str | None:
    """The part whose update is due in an epoch that adds ``share`` and so reaches ``goal``; None when that is done.

    The world model comes before the policy that dreams in it; denoiser and heads take turns, evenly however many of
    each there are, because both move the encoder: trained one after the other, the second leaves the first with
    latents it no longer knows.
    """
    denoiser, heads = goal.denoiser - done.denoiser, goal.heads - done.heads
    if denoiser > 0 and denoiser * share.heads >= heads * share.denoiser:
        return "denoiser"
    if heads > 0:
        return "heads"
    return "actor_critic" if done.actor_critic < goal.actor_critic else None
