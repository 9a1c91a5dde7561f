"""``results.json``: what an agent scored, with all that is needed to measure it again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import Card
from jedi_sdk.envs.scores import ATARI_100K
from jedi_sdk.evaluate import Evaluation

from .commands import evaluation_command, training_command

TRAINED = ("env_steps", "updates", "training_seconds")


def read_results(folder: Path) -> dict[str, Any]:
    return checkpoint.read_json(folder / checkpoint.RESULTS)


def write_results(
    folder: Path, name: str, card: Card, result: Evaluation, machine: dict[str, Any], source: Path | None
) -> None:
    """``name`` is what others will load it by; ``source`` the checkpoint it was made from, which knows how long was
    trained; ``machine`` what measured."""
    random, human = ATARI_100K.get(result.game, (None, None))
    values = {
        **asdict(result),
        "checkpoint": name,
        "random": random,
        "human": human,
        "command": evaluation_command(name, result),
        **trained(source),
        "training_command": training_command(card),
        **machine,
    }
    (folder / checkpoint.RESULTS).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def trained(source: Path | None) -> dict[str, float | None]:
    """Real steps, updates and seconds: from the run's own checkpoint, or from results that were written before."""
    known: dict[str, Any] = {}
    if source is not None and (source / checkpoint.RESULTS).exists():
        known = read_results(source)
    elif source is not None and (source / checkpoint.PROGRESS).exists():
        counters = checkpoint.read_json(source / checkpoint.PROGRESS)["counters"]
        updates = counters["denoiser"] + counters["heads"] + counters["actor_critic"]
        known = {"env_steps": counters["env_steps"], "updates": updates, "training_seconds": counters["seconds"]}
    return {name: known[name] if isinstance(known.get(name), int | float) else None for name in TRAINED}
