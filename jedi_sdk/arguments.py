"""What `JEDI` may be given: games, parts and frames; what is refused, and what to pass instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from jedi_sdk.checkpoint import CONFIG, DTYPES, Card, CheckpointError
from jedi_sdk.config import ConfigError
from jedi_sdk.envs import Game, UnknownGameError, resolve_game
from jedi_sdk.health import RunError
from jedi_sdk.types import LSTMState

CALLABLE = "callable:"  # marks, in a config, a game that was given as a Python function
PARTS = ("encoder", "denoiser", "heads", "actor_critic")


def config_name(game: Game) -> str:
    """The game's name as a config holds it."""
    return f"{CALLABLE}{game.name}" if game.kind == "callable" else game.name


def saved_game(card: Card, game: Callable[..., Any] | None, trusted: bool = True) -> Game:
    """The game of a checkpoint, with as many actions as it says; ``game`` where it is passed again. Nothing is
    imported to load: a function that is not there, or a module, is only missed in play. Without ``trusted`` no module
    that the checkpoint names is imported.
    """
    return replace(_game_of(card.config.game, game, trusted), num_actions=card.num_actions)


def _game_of(name: str, game: Callable[..., Any] | None, trusted: bool) -> Game:
    if game is not None:
        return resolve_game(game)
    if name.startswith(CALLABLE):
        return Game(name.removeprefix(CALLABLE), "callable", _not_given)
    if ":" in name:
        return Game(name, "gymnasium") if trusted else Game(name, "callable", partial(_not_imported, name))
    try:
        return resolve_game(name)
    except UnknownGameError:  # registered by a program that has not done so yet
        return Game(name, "gymnasium")


def _not_given() -> Any:
    raise RunError(
        "this agent was trained on a Python function, which no checkpoint carries: pass it again as env=, as in "
        "JEDI.from_pretrained(path, env=make_env)"
    )


def _not_imported(name: str) -> Any:
    module = name.partition(":")[0]
    raise RunError(
        f"this agent is a stranger's, and to play {name!r} the module {module!r} would be imported, which runs its "
        f"code: if you trust it, pass env= a function that imports it and makes the game, or load a copy by its path"
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


def refuse_unfit_encoder(encoder: nn.Module) -> None:
    """Shown two frames, as the contract in docs/guides/own_encoder.md has it."""
    shape = getattr(encoder, "latent_shape", None)
    if not (isinstance(shape, tuple | list) and len(shape) == 3 and min(shape[1:]) > 1):
        raise TypeError(f"encoder.latent_shape must be a tuple (c, h, w), h and w at least 2, not {shape!r}")
    place = next((parameter.device for parameter in encoder.parameters()), None)
    with torch.no_grad():
        found = tuple(encoder(torch.zeros(2, 3, 64, 64, device=place)).shape)
    if found != (2, *shape):
        raise TypeError(f"the encoder makes {found} of two frames, where its latent_shape {shape} says {(2, *shape)}")


def readable(card: Card) -> Card:
    """``card`` as it will be read from its checkpoints: what could not be is refused before a run, not behind it."""
    try:
        return Card.from_json(card.to_json())
    except CheckpointError as error:
        raise CheckpointError(f"no checkpoint of this agent could be read back: {error}") from error


def refuse_unsavable(parts: dict[str, Any]) -> None:
    """The same for the tensors of parts that are passed: other dtypes, figures without end, weights that are tied."""
    known_as: dict[tuple[int, torch.Size], str] = {}
    for part, name, tensor in _tensors(parts):
        if tensor.dtype not in DTYPES.values():
            known = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES.values())
            raise TypeError(
                f"{part}: {name} is {tensor.dtype}, and a checkpoint holds {known}: keep it in one of these"
            )
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{part}: {name} is not finite, which a checkpoint takes for a training that has diverged: keep it out "
                "of the state, register_buffer(..., persistent=False)"
            )
        other = known_as.setdefault((tensor.data_ptr(), tensor.shape), name) if tensor.numel() else name
        if other != name:
            raise ValueError(
                f"{part}: {name} is {other} again, and a checkpoint holds each tensor once: give it its own"
            )


def _tensors(parts: dict[str, Any]) -> Iterator[tuple[str, str, torch.Tensor]]:
    for part, module in parts.items():
        if isinstance(module, nn.Module):
            yield from ((part, name, tensor) for name, tensor in module.state_dict().items())


def refuse_missing_parts(card: Card, parts: dict[str, Any], folder: Path) -> None:
    missing = {name: kind for name, kind in card.custom.items() if parts.get(name) is None}
    if missing:
        given = ", ".join(f"{name}={kind}(...)" for name, kind in missing.items())
        raise CheckpointError(
            f"{folder} was made with a part of its own: pass it again, from_pretrained(path, {given})"
        )


def refuse_other_sizes(card: Card, built: Card, folder: Path) -> None:
    """``card`` is the file's, ``built`` that of the networks its weights are in."""
    if card.parameters and card.parameters != built.parameters:
        raise CheckpointError(f"{folder / CONFIG} counts parameters {card.parameters}; there are {built.parameters}")


def checked_frames(obs: np.ndarray) -> np.ndarray:
    """uint8 frames of shape (64, 64, 3) or (n, 64, 64, 3), or ValueError."""
    obs = np.ascontiguousarray(obs)  # torch takes no picture that was flipped by its strides
    if obs.dtype != np.uint8 or obs.ndim not in (3, 4) or obs.shape[-3:] != (64, 64, 3) or not len(obs):
        raise ValueError(
            f"predict takes uint8 frames of shape (64, 64, 3) or (n, 64, 64, 3), not {obs.dtype} of {obs.shape}; "
            "jedi_sdk.envs.make_envs(game, n) makes envs that give them"
        )
    return obs


def refuse_other_batch(n: int, state: LSTMState | None, first: np.ndarray) -> None:
    """``n`` frames go with ``n`` memories, and with as many answers to whether an episode starts."""
    if len(first) != n or (state is not None and len(state[0]) != n):
        memories = "none" if state is None else len(state[0])
        raise ValueError(
            f"predict was given {n} frames, {memories} memories in state and {len(first)} in episode_start: of each as "
            "many; state=None begins anew"
        )
