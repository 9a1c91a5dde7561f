"""How big a configuration is: parameters by module."""

from __future__ import annotations

from torch import nn

from jedi_sdk.actor_critic import ActorCritic
from jedi_sdk.config import Config
from jedi_sdk.shapes import only_shapes
from jedi_sdk.world_model import WorldModel


def parameter_counts(config: Config, num_actions: int = 4) -> dict[str, int]:
    """Parameters by module. An EMA copy does not count; the number of actions hardly matters."""
    with only_shapes():
        world_model = WorldModel(config, num_actions)
        actor_critic = ActorCritic(world_model.latent_shape, num_actions, config.actor_critic)
    return count_parameters(world_model, actor_critic)


def count_parameters(world_model: WorldModel, actor_critic: nn.Module) -> dict[str, int]:
    """Of each part that can be passed by argument."""
    parts: dict[str, nn.Module] = {
        "encoder": world_model.encoder,
        "denoiser": world_model.denoiser,
        "heads": world_model.heads,
        "actor_critic": actor_critic,
    }
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
