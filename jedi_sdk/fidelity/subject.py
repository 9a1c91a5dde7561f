"""Who is measured: a world model, its policy awake (in the real game) and asleep (in the dream), and the game."""

from __future__ import annotations

from dataclasses import dataclass

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.config import Config
from jedi_sdk.envs import Game
from jedi_sdk.precision import Precision
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel


@dataclass(frozen=True)
class Subject:
    """Networks lie where ``precision`` put them; a share ``epsilon`` of the policy's actions is random."""

    world_model: WorldModel
    actor_critic: ActorCritic
    game: Game
    config: Config
    precision: Precision
    epsilon: float
    seed: int  # of the real games
    rng: Rng  # of actions and dreams

    @property
    def awake(self) -> Actor:
        return Actor(self.actor_critic, self.rng, self.world_model.encode, epsilon=self.epsilon)

    @property
    def asleep(self) -> Actor:
        return Actor(self.actor_critic, self.rng, epsilon=self.epsilon)
