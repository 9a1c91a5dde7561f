"""What is known of an agent's training. Read first of all: a run that goes on deletes its older checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import Card

from .commands import settings
from .resolve import Found
from .results import read_results

TRAINED = ("env_steps", "updates", "training_seconds")


@dataclass(frozen=True)
class Past:
    """``trained``: real steps, updates and seconds, each None where nobody knows; ``curve``: a picture of them."""

    trained: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(TRAINED))
    curve: Path | None = None


def past(origin: Found | None) -> Past:
    """Of the agent in ``origin``. Raises ``CheckpointError`` where a file there leads out of it."""
    return Past() if origin is None else Past(_trained(origin.folder), _curve(origin))


def begun_with(card: Card, origin: Found, new_policy: bool) -> Card:
    """``card`` for a new run that begins with the agent in ``origin``, or with its world model alone: it says with
    whose weights, how much training they had, and by which options. Raises ``CheckpointError``."""
    known, before = past(origin).trained, checkpoint.read_card(origin.folder).config
    changes = settings(replace(card.config, seed=before.seed), before)
    begun = replace(
        card,
        begun_with=origin.name,
        begun_by=("--init", origin.name, *(["--new-policy"] if new_policy else []), *changes),
        env_steps_before=card.env_steps_before + int(known["env_steps"] or 0),
        updates_before=card.updates_before + int(known["updates"] or 0),
    )
    return Card.from_json(begun.to_json())  # a name that no card may hold is refused now, not when it is read again


def _trained(folder: Path) -> dict[str, float | None]:
    """From the run's own checkpoint, or from results that were written before."""
    known: dict[str, Any] = {}
    if (folder / checkpoint.RESULTS).exists():
        known = read_results(folder)
    elif (folder / checkpoint.PROGRESS).exists():
        counters = checkpoint.read_json(folder / checkpoint.PROGRESS)["counters"]
        updates = counters["denoiser"] + counters["heads"] + counters["actor_critic"]
        known = {"env_steps": counters["env_steps"], "updates": updates, "training_seconds": counters["seconds"]}
    return {name: known[name] if _is_amount(known.get(name)) else None for name in TRAINED}


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _curve(origin: Found) -> Path | None:
    """Of the run that it lies in, or beside it where it was exported before."""
    for folder in (origin.folder, origin.run_dir):
        if folder is not None and (folder / checkpoint.CURVE).exists():
            checkpoint.size(folder / checkpoint.CURVE)
            return folder / checkpoint.CURVE
    return None
