"""JEDI: Joint Embedding DIffusion (arXiv 2605.13013), an agent that learns by training in its own imagined latents.

The floor plan, in the direction in which data flows::

    envs ─► collect ─► replay ─► world_model ─► dream ─► actor_critic ─► checkpoint ─► hub
     ▲                  Segment     DreamState   Rollout                     └─► agent (JEDI) ─► evaluate, fidelity, cli
     └── act ── any callable policy

``config`` holds every knob, ``presets`` the sizes and objectives, ``learner`` the three updates, ``train`` the loop.
Importing this package is cheap: torch is loaded with the first name that needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jedi_sdk.envs import register

if TYPE_CHECKING:
    from jedi_sdk.agent import JEDI
    from jedi_sdk.checkpoint import CheckpointError
    from jedi_sdk.config import Config, ConfigError
    from jedi_sdk.dream import DreamError
    from jedi_sdk.envs import UnknownGameError, UnsupportedEnvError
    from jedi_sdk.evaluate import Evaluation
    from jedi_sdk.fidelity import Fidelity
    from jedi_sdk.health import RunError
    from jedi_sdk.hub import HubError
    from jedi_sdk.precision import DeviceError
    from jedi_sdk.replay import ReplayError
    from jedi_sdk.run_folder import RunFolderError

_HOMES = {
    "JEDI": "agent",
    "Config": "config",
    "ConfigError": "config",
    "CheckpointError": "checkpoint",
    "DeviceError": "precision",
    "DreamError": "dream",
    "Evaluation": "evaluate",
    "Fidelity": "fidelity",
    "HubError": "hub",
    "ReplayError": "replay",
    "RunError": "health",
    "RunFolderError": "run_folder",
    "UnknownGameError": "envs",
    "UnsupportedEnvError": "envs",
}
__all__ = [
    "JEDI",
    "CheckpointError",
    "Config",
    "ConfigError",
    "DeviceError",
    "DreamError",
    "Evaluation",
    "Fidelity",
    "HubError",
    "ReplayError",
    "RunError",
    "RunFolderError",
    "UnknownGameError",
    "UnsupportedEnvError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"jedi_sdk.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register()
