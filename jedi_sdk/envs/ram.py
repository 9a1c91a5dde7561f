"""Where ball, paddle and boxers are, read from the console's memory: ground truth to measure world models with.

The addresses are those of Anand et al. (2019), "Unsupervised state representation learning in Atari"; the
offsets from RAM to the picture were found by comparing the two (``tests/envs/test_ram.py`` does it again).
"""

from __future__ import annotations

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .games import Game

# Address in RAM, and what to add for the pixel: the sprite's left column or top row in the 210x160 picture.
_BYTES: dict[str, dict[str, tuple[int, int]]] = {
    "breakout": {"ball_x": (99, -49), "ball_y": (101, 9), "paddle_x": (72, -47)},
    "pong": {"ball_x": (49, -49), "ball_y": (54, -14), "paddle_y": (51, -13), "enemy_y": (50, -15)},
    "boxing": {"player_x": (32, 5), "player_y": (34, 38), "enemy_x": (33, 3), "enemy_y": (35, 37)},
}


def positions(game: Game, env: gymnasium.Env) -> dict[str, float] | None:
    """Where things stand in Breakout, Pong or Boxing, in pixels of the 210x160 picture; None for other games.

    ``in_play`` is 1.0 while there is a ball, else 0.0 and ``ball_x`` and ``ball_y`` are NaN: before FIRE in
    Breakout, between two points in Pong (both games then keep the ball's y at 0). In Boxing it is always 1.0. In
    Pong ``ball_y`` and ``paddle_y`` are exact to one pixel, and sprites cut by the field's edge stand partly outside
    it. Boxers' positions are those of their bodies, exact to two pixels while they stand with their arms drawn in.

    Args:
        env: one ALE environment, e.g. from ``make_single``.

    Raises:
        TypeError: no ALE environment, or a vector of them, which does not show its RAM.
    """
    if game.kind != "atari" or game.name not in _BYTES:
        return None
    ram, places = _ram(env), _BYTES[game.name]
    in_play = "ball_y" not in places or ram[places["ball_y"][0]] != 0
    found = {name: float(ram[address]) + shift for name, (address, shift) in places.items()}
    ball = {} if in_play else {"ball_x": float("nan"), "ball_y": float("nan")}
    return {**found, **ball, "in_play": float(in_play)}


def _ram(env: gymnasium.Env) -> NDArray[np.uint8]:
    ale = getattr(env.unwrapped, "ale", None)
    if ale is None or not hasattr(ale, "getRAM"):
        raise TypeError(f"{env} shows no RAM: pass a single ALE environment, e.g. `make_single('pong')`")
    return ale.getRAM()
