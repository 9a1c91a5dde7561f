"""For all tests: the shapes in the annotations are checked, and torch keeps to one thread.

``JAXTYPING_DISABLE=1`` leaves the shapes unchecked, as they are outside the tests.
"""

import os

import torch
from jaxtyping import install_import_hook

WITH_SHAPES = ("types", "nn", "returns", "rng", "replay", "collect", "world_model", "dream", "actor_critic", "learner")

if os.environ.get("JAXTYPING_DISABLE", "0").lower() not in ("1", "true"):
    install_import_hook([f"jedi_sdk.{name}" for name in WITH_SHAPES], "beartype.beartype")  # before any import

torch.set_num_threads(1)
