"""What one's own run goes on from. It is never public, and the one thing here that is not JSON or safetensors."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from jedi_sdk.checkpoint.names import PROGRESS, TRAINER, CheckpointError
from jedi_sdk.checkpoint.own_file import read_json, size


def read_training(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``save`` was given as ``training``: trainer, progress. Tensors and plain values only: no code is run."""
    path = folder / TRAINER
    if not path.exists():
        raise CheckpointError(f"{folder} holds an agent but no training state: it cannot be resumed, only loaded")
    size(path)
    try:
        trainer = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is no training state that could be gone on with: {error}") from error
    return trainer, read_json(folder / PROGRESS)
