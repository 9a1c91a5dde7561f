"""What stands beside the weights of a public folder: results, the learning curve, the card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from jedi_sdk.checkpoint import CURVE, Card

from .card import write_card
from .machine import machine
from .past import Past
from .results import read_results, write_results

if TYPE_CHECKING:
    from jedi_sdk.evaluate import Evaluation


def describe(folder: Path, name: str, card: Card, result: Evaluation | None, device: str, past: Past) -> None:
    """Writes what people read. ``name`` is what the agent will be loaded by, ``result`` how it played (None: nothing
    is said about that), ``past`` what was known of its training before it played."""
    if past.curve is not None:
        shutil.copyfile(past.curve, folder / CURVE)
    if result is not None:
        write_results(folder, name, card, result, machine(device), past.trained)
    write_card(folder, name, card, read_results(folder) if result is not None else None)
