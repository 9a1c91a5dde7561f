"""Whether latents are alive: spread out, of many dimensions, and not jumping where their frames do not."""

from __future__ import annotations

import math

import torch

from jedi_sdk.config import RunConfig
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.statistics import effective_rank, latent_std, repeat_last

FASTER = 2.0  # times their frames' repeat-last error: latents may change as fast as what they show


class RunError(RuntimeError):
    """A run that cannot go on: says why, and what to change."""


@torch.no_grad()
def latent_health(world_model: WorldModel, segment: Segment) -> dict[str, float]:
    """Std, effective rank and repeat-last error of the latents of ``segment``. Call it under ``precision.autocast()``.

    The repeat-last error is the mean squared change from frame to frame over the variance: 0 where nothing moves,
    2 where neighbouring frames have nothing in common; that of the frames themselves stands beside that of the latents.
    Both are left out where no frame has a neighbour, and want ``segment`` to be at least two frames long.
    """
    anchor = world_model.context - 1  # always a real frame
    pair = slice(max(0, anchor - 1), max(0, anchor - 1) + 2)
    obs, both = segment.obs[:, pair], segment.mask[:, pair].all(1)
    z = world_model.encode(obs)
    at_anchor = z[:, min(anchor, 1)]
    health = {
        "latent/std_data": latent_std(at_anchor).item(),
        "latent/effective_rank": effective_rank(at_anchor).item(),
    }
    if both.any():
        health["latent/repeat_last"] = repeat_last(z[both]).item()
        health["latent/repeat_last_frames"] = repeat_last(obs[both].float()).item()
    return health


def refuse_collapse(health: dict[str, float], run: RunConfig) -> None:
    """Raises ``RunError`` where latents are not finite, under a floor, or jump from frame to frame as frames do not."""
    if not math.isfinite(health["latent/std_data"]):
        raise RunError(
            "the latents are no longer finite. Try a lower rate, --set optim.lr=3e-5, or --set run.dtype=float32."
        )
    floors = {"latent/std_data": run.min_latent_std, "latent/effective_rank": run.min_effective_rank}
    for name, floor in floors.items():
        if health[name] < floor:
            raise RunError(
                f"the latents have collapsed: {name} is {health[name]:.3g}, under the floor of {floor:g}. Try "
                "--set objective.latent_scale=standard, --set objective.predict=change or a slower encoder "
                "(--set objective.encoder_lr_scale=0.03); to go on all the same, lower run.min_latent_std and "
                "run.min_effective_rank."
            )
    latents, frames = health.get("latent/repeat_last", 0.0), health.get("latent/repeat_last_frames", 0.0)
    if latents > run.max_repeat_last and latents > FASTER * frames:
        raise RunError(
            f"the latents have drifted: from frame to frame they change by {latents:.3g} of their variance, over the "
            f"ceiling of {run.max_repeat_last:g}, the frames themselves by {frames:.3g}; the past says little about "
            "what comes next. Try a slower encoder (--set objective.encoder_lr_scale=0.03) or one that slows down "
            "sooner (--set objective.encoder_lr_halving=500); to go on all the same, raise run.max_repeat_last."
        )
