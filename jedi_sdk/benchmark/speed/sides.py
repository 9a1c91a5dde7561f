"""Who is compared: what each side's process is told to build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from jedi_sdk.benchmark.speed.checkout import refuse_other_folders
from jedi_sdk.benchmark.speed.child import Child
from jedi_sdk.benchmark.speed.clock import refuse_other_devices
from jedi_sdk.benchmark.speed.result import DIAMOND, OURS, PIXEL
from jedi_sdk.envs import make_envs, resolve_game
from jedi_sdk.precision import Precision

Spec = dict[str, Any]


def our_side(game: str, preset: str, precision: Precision, compiled: bool, *overrides: str) -> Spec:
    """Raises ``UnknownGameError`` and ``DeviceError`` here, before a process starts."""
    resolve_game(game)
    refuse_other_devices(precision.device)
    told = {"device": str(precision.device), "dtype": precision.name, "compiled": compiled}
    return told | {"kind": "ours", "game": game, "preset": preset, "overrides": overrides}


def all_sides(game: str, preset: str, precision: Precision, compiled: bool, against: Path | None) -> dict[str, Spec]:
    """Ours, the pixel baseline and, from the checkout ``against``, DIAMOND. Raises ``ConfigError``."""
    ours = our_side(game, preset, precision, compiled)
    sides = {OURS: ours, PIXEL: ours | {"overrides": ["space=pixel"]}}
    if against:
        refuse_other_folders(against)
        told = {name: ours[name] for name in ("device", "dtype", "compiled")}
        sides[DIAMOND] = told | {"kind": "diamond", "path": str(against), "num_actions": _num_actions(game)}
    return sides


@contextmanager
def started(sides: Mapping[str, Spec]) -> Iterator[dict[str, Child]]:
    """Every side in a process of its own, for as long as the block lasts."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Child(name, spec)) for name, spec in sides.items()}


def _num_actions(game: str) -> int:
    envs = make_envs(resolve_game(game), 1)
    envs.close()
    return int(envs.single_action_space.n)  # type: ignore[attr-defined]
