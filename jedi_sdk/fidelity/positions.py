"""Play whose positions are known: single consoles, whose memory is read before every action."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from jaxtyping import Bool, Float
from torch import Tensor

from jedi_sdk.collect import Collector
from jedi_sdk.envs import Game, make_single, positions
from jedi_sdk.fidelity.held_out import play
from jedi_sdk.fidelity.progress import Progress
from jedi_sdk.fidelity.subject import Player
from jedi_sdk.replay import Replay
from jedi_sdk.types import Policy

CONSOLES = 4  # played side by side
THINGS = {
    "ball": ("ball_x", "ball_y"),
    "paddle": ("paddle_x", "paddle_y"),
    "player": ("player_x", "player_y"),
    "enemy": ("enemy_x", "enemy_y"),
}


@dataclass(frozen=True)
class Located:
    """Real play in memory, and where things were when each of its frames was shown (pixels, rows as the
    replay's).
    """

    replay: Replay
    where: dict[str, Float[np.ndarray, "rows envs p"]]  # by thing the game has; NaN for a ball that is not there
    in_play: Bool[np.ndarray, "rows envs"]


class Noting:
    """A policy that also notes positions: it is asked exactly once for every frame that the replay keeps."""

    def __init__(self, policy: Policy, game: Game, envs: SyncVectorEnv) -> None:
        self.policy, self.game, self.envs = policy, game, envs
        self.notes: list[list[dict[str, float]]] = []

    def __call__(self, x: Tensor, state: Any, first: Tensor) -> tuple[Tensor, Any]:
        self.notes.append([positions(self.game, env) or {} for env in self.envs.envs])
        return self.policy(x, state, first)

    def column(self, names: tuple[str, ...]) -> np.ndarray:
        """The noted values (rows, envs, p) of those ``names`` that the game knows."""
        known = [name for name in names if name in self.notes[0][0]]
        return np.array([[[note[name] for name in known] for note in row] for row in self.notes])


def has_positions(game: Game) -> bool:
    """Whether the game's memory shows where things are."""
    if game.kind != "atari":
        return False
    env = make_single(game)
    try:
        env.reset(seed=0)
        return positions(game, env) is not None
    finally:
        env.close()


def play_located(player: Player, steps: int, progress: Progress) -> Located:
    """At least ``steps`` real steps, over all consoles; a lost life ends an episode as in training."""
    game, config, precision = player.game, player.config, player.precision
    envs = SyncVectorEnv([partial(make_single, game)] * CONSOLES, autoreset_mode=AutoresetMode.NEXT_STEP)
    replay = Replay(None, CONSOLES, 2 * (steps + 2 * CONSOLES), context=config.context)
    noting = Noting(player.policy, game, envs)
    try:
        collector = Collector(envs, replay, player.seed, precision.device, config.env.life_loss_ends)
        play(collector, noting, steps, precision, progress, "playing with positions read from RAM")
    finally:
        envs.close()
    where = {thing: noting.column(names) for thing, names in THINGS.items()}
    where = {thing: positions for thing, positions in where.items() if positions.shape[-1]}
    return Located(replay, where, noting.column(("in_play",))[..., 0] > 0)
