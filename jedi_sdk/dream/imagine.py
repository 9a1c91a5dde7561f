"""Imagination: a policy acts in the world model. Torch in, torch out; no gradient, no environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, Policy, Rollout


@runtime_checkable
class World(Protocol):
    """What can be stepped with ``state, act, rng``: a ``WorldModel``, or whatever stands in its place."""

    step: Callable[..., tuple[DreamState, Tensor, Tensor]]


@torch.no_grad()
def imagine(
    world: World, policy: Policy, state: DreamState, horizon: int, rng: Rng, lstm: Any = None, **step: Any
) -> Rollout:
    """``b`` dreams of ``horizon`` steps side by side, from ``state`` with the policy's memory ``lstm``.

    A dream that ends goes on being dreamed, so that the batch keeps its shape; ``mask`` tells. ``step``: what else
    ``world.step`` is told.
    """
    b = len(state.z)
    running = torch.ones(b, dtype=torch.bool, device=state.z.device)
    nobody = torch.zeros_like(running)
    zs, acts, rews, ends, masks, memory = [state.z[:, -1]], [], [], [], [], lstm
    for _ in range(horizon):
        act, memory = policy(state.z[:, -1], memory, nobody)
        state, rew, end = world.step(state, act, rng, **step)
        masks.append(running)
        running = running & ~end
        for column, value in zip((zs, acts, rews, ends), (state.z[:, -1], act, rew, end), strict=True):
            column.append(value)
    columns = (torch.stack(column, dim=1) for column in (zs, acts, rews, ends, masks))
    return Rollout(*columns, lstm=lstm)
