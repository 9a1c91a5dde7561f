"""Who plays the real game, and whose dreams are compared with it."""

from __future__ import annotations

from dataclasses import dataclass

from jedi_sdk.config import Config
from jedi_sdk.envs import Game
from jedi_sdk.precision import Precision
from jedi_sdk.rng import Rng
from jedi_sdk.types import Policy
from jedi_sdk.world_model import WorldModel


@dataclass(frozen=True)
class Player:
    """``policy`` plays ``game`` as in training: with the envs of ``config``, seeded with ``seed``."""

    game: Game
    policy: Policy
    config: Config
    precision: Precision
    seed: int


@dataclass(frozen=True)
class Subject:
    """The dreams of ``world_model``, which lies where ``precision`` put it; ``rng`` draws them."""

    world_model: WorldModel
    precision: Precision
    rng: Rng
