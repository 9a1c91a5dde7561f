"""How big a configuration is: parameters by module, and how much a whole run does."""

from __future__ import annotations

from math import ceil

import torch

from jedi_sdk.actor_critic import ActorCritic
from jedi_sdk.config import Config, ScheduleConfig, Work
from jedi_sdk.world_model import WorldModel


def parameter_counts(config: Config, num_actions: int = 4) -> dict[str, int]:
    """Parameters by module. An EMA copy does not count; the number of actions hardly matters."""
    with torch.device("meta"):  # shapes without memory
        world_model = WorldModel(config, num_actions)
        actor_critic = ActorCritic(world_model.latent_shape, num_actions, config.actor_critic)
    parts = {
        "encoder": world_model.encoder,
        "denoiser": world_model.denoiser,
        "heads": world_model.heads,
        "actor_critic": actor_critic,
    }
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def total_work(schedule: ScheduleConfig) -> Work:
    """Real steps and updates of each kind in a whole run."""
    epochs = max(0, ceil((schedule.env_steps - schedule.first_epoch.env_steps) / schedule.epoch.env_steps))
    epochs += schedule.final_epochs
    first, epoch = schedule.first_epoch, schedule.epoch
    return Work(
        env_steps=schedule.env_steps,
        denoiser=first.denoiser + epochs * epoch.denoiser,
        heads=first.heads + epochs * epoch.heads,
        actor_critic=first.actor_critic + epochs * epoch.actor_critic,
    )
