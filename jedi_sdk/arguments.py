"""What `JEDI` may be given: games, parts and frames; what is refused, and what to pass instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jedi_sdk.checkpoint import Card, CheckpointError
from jedi_sdk.config import ConfigError
from jedi_sdk.envs import Game, resolve_game
from jedi_sdk.health import RunError

CALLABLE = "callable:"  # marks, in a config, a game that was given as a Python function
PARTS = ("encoder", "denoiser", "heads", "actor_critic")


def config_name(game: Game) -> str:
    """The game's name as a config holds it."""
    return f"{CALLABLE}{game.name}" if game.kind == "callable" else game.name


def saved_game(card: Card, game: Callable[..., Any] | None) -> Game:
    """The game of a checkpoint; ``game`` where it is passed again. A missing function is only missed in play."""
    if game is not None:
        return resolve_game(game)
    if card.config.game.startswith(CALLABLE):
        return Game(card.config.game.removeprefix(CALLABLE), "callable", _not_given)
    return resolve_game(card.config.game)


def _not_given() -> Any:
    raise RunError(
        "this agent was trained on a Python function, which no checkpoint carries: pass it again as game=, as in "
        "JEDI.from_pretrained(path, game=make_env)"
    )


def refuse_beside_config(preset: str | None, objective: str | None, overrides: Sequence[str]) -> None:
    """A ready ``Config`` holds every value; names beside it would be ignored."""
    given = [name for name, value in (("preset", preset), ("objective", objective), ("overrides", overrides)) if value]
    if given:
        raise ConfigError(
            f"a ready Config leaves nothing for {', '.join(given)} to choose: change it by dataclasses.replace"
        )


def refuse_unknown_parts(parts: dict[str, Any]) -> None:
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise TypeError(f"JEDI has no part {unknown[0]!r}; parts that can be passed: {', '.join(PARTS)}")


def refuse_missing_parts(card: Card, parts: dict[str, Any], folder: Path) -> None:
    missing = {name: kind for name, kind in card.custom.items() if parts.get(name) is None}
    if missing:
        given = ", ".join(f"{name}={kind}(...)" for name, kind in missing.items())
        raise CheckpointError(
            f"{folder} was made with a part of its own: pass it again, from_pretrained(path, {given})"
        )


def checked_frames(obs: np.ndarray) -> np.ndarray:
    """uint8 frames of shape (64, 64, 3) or (n, 64, 64, 3), or ValueError."""
    obs = np.asarray(obs)
    if obs.dtype != np.uint8 or obs.ndim not in (3, 4) or obs.shape[-3:] != (64, 64, 3):
        raise ValueError(
            f"predict takes uint8 frames of shape (64, 64, 3) or (n, 64, 64, 3), not {obs.dtype} of {obs.shape}; "
            "jedi_sdk.envs.make_envs(game, n) makes envs that give them"
        )
    return obs
