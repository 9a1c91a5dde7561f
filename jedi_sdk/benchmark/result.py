"""What a contest found, read back from its folder: JSON for programs, Markdown for the documentation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.config import Config

SCHEMA = 1


@dataclass(frozen=True)
class Result:
    """One entry's curve. A point holds, by ``updates``: ``seconds`` of training, ``loss``, ``latent`` (std,
    effective rank, repeat-last error), ``ratio``, ``repeat_fraction``, ``size`` and ``liveliness`` by dreamed
    step, ``ratio_learned`` (for moments that were learned from: much less than ``ratio`` says that those are
    known by heart; absent in curves from before it was measured), ``reward`` and ``termination`` (balanced
    accuracy, frequencies, confusion; those off the real frames are absent in old curves) and ``displacement`` (R²
    by thing and number of steps). ``stopped`` says why an entry was given up, None where it was not;
    ``played_by`` whose play was held out, None where that was random.
    """

    game: str
    variant: str
    seed: int
    updates: int
    seconds: float
    stopped: str | None
    dtype: str
    device: str
    settings: dict[str, Any]
    fingerprint: str
    played_by: str | None
    curve: list[dict[str, Any]]

    @property
    def last(self) -> dict[str, Any]:
        return self.curve[-1]


def load_results(out: Path) -> list[Result]:
    """Every entry of a contest's folder that was measured at least once, by game, variant and seed."""
    found = []
    for path in sorted(out.glob("*/*/progress.json")):
        card, progress = checkpoint.read_card(path.parent), json.loads(path.read_text(encoding="utf-8"))
        if progress["curve"]:
            found.append(
                Result(
                    game=card.config.game,
                    variant=progress["variant"],
                    seed=card.config.seed,
                    updates=progress["updates"],
                    seconds=progress["seconds"],
                    stopped=progress["stopped"],
                    dtype=card.dtype,
                    device=card.device,
                    settings=_settings(card.config),
                    fingerprint=progress["fingerprint"],
                    played_by=progress.get("played_by"),
                    curve=progress["curve"],
                )
            )
    return found


def _settings(config: Config) -> dict[str, Any]:
    parts = {name: asdict(getattr(config, name)) for name in ("encoder", "denoiser", "heads", "sampler", "optim")}
    return {"preset": config.preset, **asdict(config.objective), **parts}


def to_json(results: list[Result]) -> dict[str, Any]:
    """The documented schema: ``schema`` and ``entries``, each a ``Result``."""
    return {"schema": SCHEMA, "entries": [asdict(result) for result in results]}
