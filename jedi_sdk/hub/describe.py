"""What stands beside the weights of a public folder: results, the learning curve, the card."""

from __future__ import annotations

import shutil
from pathlib import Path

from jedi_sdk.checkpoint import CURVE, Card
from jedi_sdk.evaluate import Evaluation

from .card import write_card
from .machine import machine
from .results import read_results, write_results


def describe(folder: Path, name: str, card: Card, result: Evaluation | None, device: str, source: Path | None) -> None:
    """Writes what people read. ``name`` is what the agent will be loaded by, ``result`` how it played (None: nothing
    is said about that), ``source`` the checkpoint it was made from."""
    curve = _curve(source)
    if curve is not None:
        shutil.copyfile(curve, folder / CURVE)
    if result is not None:
        write_results(folder, name, card, result, machine(device), source)
    write_card(folder, name, card, read_results(folder) if result is not None else None)


def _curve(source: Path | None) -> Path | None:
    """Of the run that ``source`` lies in, or beside it where it was exported before."""
    if source is None:
        return None
    places = (source / CURVE, source.parent.parent / CURVE)
    return next((place for place in places if place.exists()), None)
