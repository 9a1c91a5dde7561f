"""A world whose dreams can be computed by hand, and the same world as an ordinary gymnasium environment.

All numbers of a latent are one: how far the dream has come, in 64ths. Action ``a`` goes on by ``a + 1`` and pays
``a - 1``; at ``GOAL`` the episode ends. The memory counts steps, in 64ths too. Nothing is random but where it begins.
"""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from jedi_sdk.dream import Starts
from jedi_sdk.presets import TINY
from jedi_sdk.types import DreamState
from jedi_sdk.world_model import WorldModel

SHAPE, K, ACTIONS, GOAL, HORIZON, UNIT = (4, 8, 8), 4, 3, 14, 6, 64


class ByHand(WorldModel):
    def __init__(self) -> None:
        super().__init__(TINY, ACTIONS)
        self.stepped: list[int] = []  # rows computed, call by call

    def start_from(self, z, act, mask):
        return DreamState(z.float(), act, self.heads.lstm.empty(len(z)))

    def step(self, state, act, rng, sampler=None, reward="sample"):
        self.stepped.append(len(act))
        z_next = state.z[:, -1] + (act[:, None, None, None] + 1) / UNIT
        z = torch.cat([state.z[:, 1:], z_next[:, None]], dim=1)
        acts = torch.cat([state.act[:, 1:], act[:, None]], dim=1)
        h, c = state.lstm
        return DreamState(z, acts, (h + 1 / UNIT, c)), act.float() - 1, z_next[:, 0, 0, 0] >= GOAL / UNIT


def starts(*places: int) -> Starts:
    """Each has come as far as one of ``places``, by actions 0."""
    z = torch.stack([torch.arange(place - K + 1, place + 1) / UNIT for place in places])
    z = z[..., None, None, None].expand(-1, -1, *SHAPE)
    n = len(places)
    return Starts(z, torch.zeros(n, K - 1, dtype=torch.int64), torch.ones(n, K, dtype=torch.bool))


class ByHandEnv(gymnasium.Env):
    """From ``place`` 2, and ``HORIZON`` steps at most."""

    observation_space = Box(-3.0, 3.0, SHAPE, np.float32)
    action_space = Discrete(ACTIONS)
    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 15}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = 2, 0
        return self.seen(), {}

    def step(self, action):
        self.place, self.steps = self.place + int(action) + 1, self.steps + 1
        end = self.place >= GOAL
        return self.seen(), float(action - 1), end, self.steps >= HORIZON and not end, {}

    def seen(self):
        return np.full(SHAPE, self.place / UNIT, np.float32)


def assert_same(one: Any, other: Any) -> None:
    """Equal arrays in equal structures, object arrays entry by entry, dtypes included."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple) or (isinstance(one, np.ndarray) and one.dtype == object):
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other
