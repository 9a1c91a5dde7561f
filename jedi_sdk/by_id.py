"""What ``gymnasium.make("jedi_sdk:JEDI/Dream-v0", checkpoint=...)`` and ``make_vec`` call."""

from __future__ import annotations

from typing import Any

from jedi_sdk.agent import JEDI
from jedi_sdk.dream import DreamEnv, SingleDreamEnv


def dream(checkpoint: str, device: str = "auto", render_mode: str | None = None, **options: Any) -> SingleDreamEnv:
    """One dream of the agent in ``checkpoint``; ``options`` are those of ``JEDI.dream``."""
    return SingleDreamEnv(JEDI.from_pretrained(checkpoint, device=device).dream(1, **options), render_mode)


def dreams(checkpoint: str, num_envs: int = 1, device: str = "auto", **options: Any) -> DreamEnv:
    """``num_envs`` of them in one forward pass; ``options`` are those of ``JEDI.dream_env``."""
    return JEDI.from_pretrained(checkpoint, device=device).dream_env(num_envs, **options)
