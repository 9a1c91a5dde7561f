"""Where the time of one combined update goes: an update of each kind, warm, under torch's profiler."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from jedi_sdk.benchmark.speed.child import Child
from jedi_sdk.benchmark.speed.operators import Operator, Profile
from jedi_sdk.benchmark.speed.sides import our_side
from jedi_sdk.fidelity.progress import Progress, silent
from jedi_sdk.learner import PARTS
from jedi_sdk.load import build_config
from jedi_sdk.precision import choose_device, choose_precision

SCHEMA = 1


@dataclass(frozen=True)
class UpdateProfile:
    """The ``profile`` of one combined update, and of what."""

    game: str
    preset: str
    space: str
    device: str
    dtype: str
    batch_size: int
    profile: Profile

    def to_dict(self) -> dict[str, Any]:
        """The documented schema: ``schema`` and the fields of this class."""
        return {"schema": SCHEMA} | asdict(self)


def measure_profile(
    game: str = "breakout",
    preset: str = "atari100k",
    space: str = "latent",
    device: str = "auto",
    dtype: str = "auto",
    progress: Progress = silent,
) -> UpdateProfile:
    """In a process of its own, and uncompiled, since what is fused bears no operator's name.

    Raises ``SpeedError``, ``ConfigError``, ``UnknownGameError`` and ``DeviceError``.
    """
    config = build_config(game, preset=preset, overrides=[f"space={space}"])
    precision = choose_precision(choose_device(device), dtype)
    n = config.optim.batch_size
    with Child(space, our_side(game, preset, precision, False, f"space={space}")) as child:
        for i, part in enumerate(PARTS):
            progress(i / (len(PARTS) + 1), f"warming up: {part}")
            child.ask("warm_up", part=part, n=n)
        progress(len(PARTS) / (len(PARTS) + 1), "profiling")
        found = child.ask("profile", n=n)
    found["top"] = [Operator(**operator) for operator in found["top"]]
    return UpdateProfile(game, preset, space, precision.device.type, precision.name, n, Profile(**found))
