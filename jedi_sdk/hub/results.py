"""``results.json``: what an agent scored, with all that is needed to measure it again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import Card
from jedi_sdk.envs.scores import ATARI_100K

from .commands import evaluation_command, training_command

if TYPE_CHECKING:
    from jedi_sdk.evaluate import Evaluation


def read_results(folder: Path) -> dict[str, Any]:
    return checkpoint.read_json(folder / checkpoint.RESULTS)


def write_results(
    folder: Path, name: str, card: Card, result: Evaluation, machine: dict[str, Any], trained: dict[str, float | None]
) -> None:
    """``name`` is what others will load it by; ``machine`` what measured, ``trained`` how long it was trained."""
    from jedi_sdk.fidelity.report import finite  # whoever loads an agent needs none of it

    random, human = ATARI_100K[result.game] if result.hns is not None else (None, None)
    values = {
        **asdict(result),
        "checkpoint": name,
        "random": random,
        "human": human,
        "command": evaluation_command(name, result),
        **trained,
        "training_command": training_command(card),
        **machine,
    }
    (folder / checkpoint.RESULTS).write_text(json.dumps(finite(values), indent=2) + "\n", encoding="utf-8")
