"""For all tests: the shapes in the annotations are checked, torch keeps to one thread, and everything is tiny.

``JAXTYPING_DISABLE=1`` leaves the shapes unchecked, as they are outside the tests.
"""

import os
from collections.abc import Callable

import pytest
import torch
from jaxtyping import install_import_hook

WITH_SHAPES = (
    "types",
    "nn",
    "returns",
    "rng",
    "replay",
    "collect",
    "world_model",
    "dream",
    "actor_critic",
    "learner",
    "fidelity",
)

if os.environ.get("JAXTYPING_DISABLE", "0").lower() not in ("1", "true"):
    install_import_hook([f"jedi_sdk.{name}" for name in WITH_SHAPES], "beartype.beartype")  # before their import

from jedi_sdk.config import Config  # noqa: E402
from jedi_sdk.envs import make_single  # noqa: E402
from jedi_sdk.presets import TINY  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture
def tiny() -> Config:
    return TINY


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Networks start from torch's global generator."""
    torch.manual_seed(0)


@pytest.fixture
def wake() -> Callable[[torch.nn.Module], torch.nn.Module]:
    """Fills what a network starts with at zero, as its first updates would, so that everything has an effect."""
    return _wake


def _wake(module: torch.nn.Module) -> torch.nn.Module:
    for parameter in module.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return module


@pytest.fixture
def random_play() -> Callable[[str, int, int], torch.Tensor]:
    """Frames of ``(game, steps, seed)``, played at random: uint8 (steps, 64, 64, 3)."""
    return _random_play


def _random_play(game: str, steps: int, seed: int) -> torch.Tensor:
    env = make_single(game)
    env.reset(seed=seed)
    env.action_space.seed(seed)
    return torch.stack([torch.as_tensor(env.step(env.action_space.sample())[0]) for _ in range(steps)])
