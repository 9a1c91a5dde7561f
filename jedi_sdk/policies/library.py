"""The libraries whose policies travel, and what is asked of each: a closed table, no name from a file is imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from jedi_sdk.agent import JEDI
from jedi_sdk.checkpoint import CheckpointError
from jedi_sdk.policies.spec import Spec
from jedi_sdk.shapes import only_shapes

MODULES = {"stable_baselines3": "jedi_sdk.policies.sb3", "tianshou": "jedi_sdk.policies.tianshou"}


class Library(Protocol):
    """What each of ``MODULES`` offers."""

    RESETS: str  # gymnasium's autoreset mode for ``adapted``

    def policy_of(self, model: Any) -> nn.Module:
        """What acts, of an algorithm or of itself."""
        ...

    def describe(self, model: Any, obs: str) -> dict[str, Any]:
        """``kind``, ``trunk`` and ``arguments`` of a ``Spec``. Raises ``CheckpointError`` for what it cannot say."""
        ...

    def build(self, spec: Spec, space: Box, num_actions: int) -> nn.Module:
        """A fresh policy. Raises ``CheckpointError`` for arguments that are none."""
        ...

    def adapted(self, envs: VectorEnv) -> Any:
        """``envs`` as the library takes them."""
        ...


def library(name: str) -> Library:
    return cast(Library, importlib.import_module(MODULES[name]))


def name_of(model: Any) -> str:
    """The library that made ``model``."""
    origins = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    for name in MODULES:
        if name in origins:
            return name
    raise CheckpointError(
        f"a {type(model).__name__} is of no library whose policies can be saved: pass PPO, A2C or DQN of "
        "Stable-Baselines3, or an algorithm or policy of Tianshou for discrete actions"
    )


def shapes(spec: Spec, agent: JEDI) -> dict[str, Tensor]:
    """Names, shapes and types of the weights that ``spec`` asks for, without memory."""
    with _in_our_words(), only_shapes():
        return weights(_built(spec, agent))


def fresh(spec: Spec, agent: JEDI) -> nn.Module:
    """The policy that ``spec`` asks for, with any weights."""
    with _in_our_words(), torch.random.fork_rng(devices=[]):
        return _built(spec, agent)


def weights(policy: nn.Module) -> dict[str, Tensor]:
    """Each once, whatever the number of names it has."""
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


def _built(spec: Spec, agent: JEDI) -> nn.Module:
    return library(spec.library).build(spec, spec.view.space(agent), agent.world_model.num_actions)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"this policy cannot be built: {error}") from error
