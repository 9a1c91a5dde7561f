"""From what people type to which game is meant.

``Game.name`` is the one spelling used in configurations, checkpoints and tables: lower-case snake as ALE
names its ROMs (``ms_pacman``), ``catch``, or the gymnasium id as registered. ``resolve_game(game.name)`` is
the same game again, except for a Python function, which has a name for people only.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import gymnasium

from .scores import ATARI_100K

_FORMS = (
    "Accepted are: an Atari game ('breakout', 'ms_pacman' or 'ALE/MsPacman-v5'); 'catch'; the id of a "
    "gymnasium environment with images and discrete actions ('MyGame-v0', or 'my_module:MyGame-v0' to import its "
    "module first); a Python function that returns a gymnasium.Env."
)


class UnknownGameError(ValueError):
    """No game of that name: says which names are near and what forms a name may take."""


@dataclass(frozen=True)
class Game:
    name: str
    kind: Literal["catch", "atari", "gymnasium", "callable"]
    make: Callable[[], gymnasium.Env] | None = None  # of kind "callable": builds one environment
    num_actions: int | None = field(default=None, compare=False)  # that whoever plays it knows; None: any number


def resolve_game(game: str | Callable[[], gymnasium.Env] | Game) -> Game:
    """Which game is meant.

    Case, ``-``, ``_`` and spaces are forgiven for Atari games, whose ids (``ALE/Pong-v5``, also ``Pong-v4``)
    all mean the benchmark's settings (see ``atari.py``), never those that gymnasium registered under the id.

    Raises:
        UnknownGameError: the name is not known, or its module cannot be imported.
        TypeError: neither a name nor something to call.
    """
    if isinstance(game, Game):
        return game
    if callable(game):
        name = getattr(game, "__name__", type(game).__name__).strip("<>")  # "lambda" may become a folder
        return Game(name, "callable", game)
    if not isinstance(game, str):
        raise TypeError(
            f"a game is a name or a function, not {game!r}. An environment that already exists cannot be "
            "copied into workers: pass the function that makes it, e.g. `lambda: MyEnv()`."
        )
    return _named(game.strip())


def human_normalised(game: Game | str, score: float) -> float | None:
    """``(score - random) / (human - random)``: 0 is a random player, 1 a human. None outside the 26 games, and for a
    function that bears the name of one.
    """
    game = resolve_game(game)
    known = ATARI_100K.get(game.name) if game.kind == "atari" else None
    return None if known is None else (score - known[0]) / (known[1] - known[0])


def _named(text: str) -> Game:
    module, _, name = text.rpartition(":")
    if module:
        _import(module, text)
    if name.lower() in ("catch", "jedi/catch", "jedi/catch-v0"):
        return Game("catch", "catch")
    if name in gymnasium.registry and not _is_ale(gymnasium.registry[name]):
        return Game(text, "gymnasium")
    rom = _atari(name)
    if rom is None:
        raise unknown_game(text)
    return Game(rom, "atari")


def _atari(name: str) -> str | None:
    """The ROM meant by ``name``. ALE is imported only for games outside the benchmark's 26."""
    key = _key(name)
    among_26 = {_key(rom): rom for rom in ATARI_100K}
    return among_26.get(key) or {_key(rom): rom for rom in atari_games()}.get(key)


def _key(name: str) -> str:
    bare = re.sub(r"(noframeskip)?(-v[045])?$", "", name.lower().removeprefix("ale/"))
    return re.sub(r"[-_ ]", "", bare)


def atari_games() -> list[str]:
    """All of ALE's games for one player: those it registers as ``ALE/…-v5``."""
    importlib.import_module("ale_py")  # registers them
    return [spec.kwargs["game"] for spec in gymnasium.registry.values() if spec.namespace == "ALE"]


def _is_ale(spec: Any) -> bool:
    return str(spec.entry_point).startswith("ale_py")


def _import(module: str, text: str) -> None:
    if module.endswith(".py") or not all(part.isidentifier() for part in module.split(".")):
        raise UnknownGameError(
            f"cannot use {text!r}: {module!r} is no module's name. Write it as Python imports it, without a path or "
            "'.py', from the folder that it is in: 'my_module:MyGame-v0'."
        )
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise UnknownGameError(
            f"cannot use {text!r}: importing the module {module!r} failed ({error}). The part before ':' "
            "must be a module that Python can import and that registers the environment named behind it."
        ) from error


def unknown_game(name: str) -> UnknownGameError:
    """The error for a name that means nothing, with the names nearest to it."""
    games = atari_games()  # first, because it fills the registry
    others = [id for id, spec in gymnasium.registry.items() if not _is_ale(spec)]
    names = {re.sub(r"v\d+$", "", _key(candidate)): candidate for candidate in [*others, *games, "catch"]}
    near = difflib.get_close_matches(_key(name.rpartition(":")[2]), names)
    guess = f" Did you mean {' or '.join(repr(names[match]) for match in near)}?" if near else ""
    return UnknownGameError(f"unknown game {name!r}.{guess} {_FORMS}")
