"""Checkpoints: an agent as a folder, the same on disk, in a run and wherever it travels.

``config.json`` (the card), ``model.safetensors`` and ``manifest.json`` make an agent; ``starts.safetensors`` are
encoded contexts from which it can dream without a replay and without the game, ``probe.safetensors`` paints its
latents. ``results.json``, ``README.md``, ``video.mp4`` and ``learning_curve.png`` are about it, for people. A training
checkpoint adds ``trainer.pt`` and ``progress.json``, which never leave the machine. The other kind of folder that
travels, another library's policy, is written and checked by the same means (``kinds.py``).

A folder may be a stranger's. From it only safetensors and JSON are read, nothing is unpickled or imported, and what
is read is checked before it takes memory: ``read_card`` for the words, then ``load_networks``, ``load_probe`` and
``read_starts`` for the tensors. Each refusal is a ``CheckpointError``.
"""

from jedi_sdk.checkpoint.card import Card, read_card
from jedi_sdk.checkpoint.folder import recover, write_folder, write_json
from jedi_sdk.checkpoint.header import DTYPES
from jedi_sdk.checkpoint.kinds import AGENT, POLICY_FOLDER, Kind, kind_of
from jedi_sdk.checkpoint.manifest import missing, public, sha256, verify
from jedi_sdk.checkpoint.names import (
    CONFIG,
    CURVE,
    EMBEDDED,
    MANIFEST,
    MODEL,
    POLICY,
    POLICY_WEIGHTS,
    PROBE,
    PROGRESS,
    PUBLIC_FILES,
    README,
    RESULTS,
    STARTS,
    TRAINER,
    VIDEO,
    CheckpointError,
)
from jedi_sdk.checkpoint.own_file import inside, read_json, size
from jedi_sdk.checkpoint.runs import find, list_checkpoints, prune, refuse_unless_run
from jedi_sdk.checkpoint.schema import SCHEMA
from jedi_sdk.checkpoint.starts import read_starts
from jedi_sdk.checkpoint.tensors import load_networks, load_probe, read_fitting
from jedi_sdk.checkpoint.training import read_training
from jedi_sdk.checkpoint.typed import checked
from jedi_sdk.checkpoint.write import add, save, tensor_writer

__all__ = [
    "AGENT",
    "CONFIG",
    "CURVE",
    "DTYPES",
    "EMBEDDED",
    "MANIFEST",
    "MODEL",
    "POLICY",
    "POLICY_FOLDER",
    "POLICY_WEIGHTS",
    "PROBE",
    "PROGRESS",
    "PUBLIC_FILES",
    "README",
    "RESULTS",
    "SCHEMA",
    "STARTS",
    "TRAINER",
    "VIDEO",
    "Card",
    "CheckpointError",
    "Kind",
    "add",
    "checked",
    "find",
    "inside",
    "kind_of",
    "list_checkpoints",
    "load_networks",
    "load_probe",
    "missing",
    "prune",
    "public",
    "read_card",
    "read_fitting",
    "read_json",
    "read_starts",
    "read_training",
    "recover",
    "refuse_unless_run",
    "save",
    "sha256",
    "size",
    "tensor_writer",
    "verify",
    "write_folder",
    "write_json",
]
