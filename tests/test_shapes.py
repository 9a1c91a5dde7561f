"""Networks as shapes: the same names and sizes as real ones, no memory, no random numbers, no compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from jedi_sdk.presets import PRESETS
from jedi_sdk.shapes import only_shapes
from jedi_sdk.world_model import WorldModel

IN_A_FRESH_PROCESS = """
import sys, torch
from jedi_sdk.presets import TINY
from jedi_sdk.shapes import only_shapes
from jedi_sdk.world_model import WorldModel
with only_shapes():
    WorldModel(TINY, 3)
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_names_and_sizes(preset: str) -> None:
    before = torch.random.get_rng_state()
    with only_shapes():
        shapes = WorldModel(PRESETS[preset], 3).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    real = WorldModel(PRESETS[preset], 3).state_dict()
    assert {name: t.shape for name, t in shapes.items()} == {name: t.shape for name, t in real.items()}
    assert all(tensor.is_meta for tensor in shapes.values())
    assert torch.randn(2).device.type == "cpu"  # afterwards all is as it was


def test_torchs_compiler_is_not_loaded() -> None:
    """Which takes seconds, and comes with the first random number on ``meta``."""
    done = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
