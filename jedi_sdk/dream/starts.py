"""Where dreams begin: the last latents of real episodes, and the actions that led through them.

Which action belongs to which frame, here and wherever a dream is given a context: action ``t`` was chosen at frame
``t`` and led to frame ``t + 1``. So ``k`` frames have ``k - 1`` actions between them. An action given for the last
frame led out of the context; the first step of the dream takes its place, so it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from jedi_sdk.dream.arguments import DreamError, checked_context
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.world_model import WorldModel

MOST = 256
MOST_BYTES = 2_000_000  # of a file that travels with every checkpoint
BATCH = 32


@dataclass(frozen=True)
class Starts:
    """``n`` contexts. ``mask[i, t]``: latent ``t`` is of the episode; where one has just begun, the latents before
    are its first again, with action 0 (as in a ``Segment``).
    """

    z: Float[Tensor, "n k c h w"]
    act: Int64[Tensor, "n k-1"]
    mask: Bool[Tensor, "n k"]

    def __len__(self) -> int:
        return len(self.z)

    @staticmethod
    def from_replay(world_model: WorldModel, replay: Replay, precision: Precision, rng: np.random.Generator) -> Starts:
        """A few hundred places that the replay would dream from, as many as may lie in a file."""
        k, numbers = replay.context, int(np.prod(world_model.latent_shape))
        n = max(1, min(MOST, MOST_BYTES // (k * (2 * numbers + 3))))  # fp16, two bytes an action, one of the mask
        segment = replay.sample(n, k, rng)
        z = [encode(world_model, obs, precision) for obs in segment.obs.split(BATCH)]
        return Starts(torch.cat(z), segment.act[:, :-1].to(z[0].device), segment.mask.to(z[0].device))

    @staticmethod
    def from_frames(world_model: WorldModel, frames: Any, actions: Any, precision: Precision) -> Starts:
        """Frames (n, k, 64, 64, 3) of one's own; fewer than the model's context where the episode has just begun."""
        shown, act = checked_context(frames, actions, world_model.context, world_model.num_actions)
        z = encode(world_model, shown, precision)
        missing = world_model.context - z.shape[1]
        mask = torch.arange(world_model.context, device=z.device) >= missing
        return Starts(
            torch.cat([z[:, :1].expand(-1, missing, -1, -1, -1), z], dim=1),
            torch.nn.functional.pad(act.to(z.device), (missing, 0)),
            mask.expand(len(z), -1),
        )

    # -- as a file ----------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        return {"z": self.z.half(), "act": self.act.short(), "mask": self.mask}

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor], world_model: WorldModel, device: torch.device) -> Starts:
        """The inverse of ``tensors``, but for the rounding, which must not lead over the latents' bounds."""
        z = world_model.target.nearest(tensors["z"].to(device).float())
        return Starts(z, tensors["act"].to(device).long(), tensors["mask"].to(device))


def asked_for(options: Mapping[str, Any], world_model: WorldModel, precision: Precision) -> Starts | None:
    """Where a dream's ``reset(options=...)`` is to begin; None where they do not say."""
    unknown = sorted(set(options) - {"reset_mask", "frames", "actions", "from"})
    if unknown:
        raise DreamError(f"options[{unknown[0]!r}] is unknown; write reset_mask, frames with actions, or from")
    if "from" in options:
        return _seen_by(options["from"])
    if "frames" in options and "actions" in options:
        return Starts.from_frames(world_model, options["frames"], options["actions"], precision)
    if "frames" in options or "actions" in options:
        raise DreamError("options['frames'] and options['actions'] belong together: pass both, or neither")
    return None


def _seen_by(env: Any) -> Starts:
    """What the real env lately saw that is in ``env``, under whatever wrappers."""
    inner = env
    while not callable(getattr(type(inner), "starts", None)):
        inner = getattr(inner, "env", getattr(inner, "envs", None))  # SB3's view of it has it as envs
        if inner is None:
            raise DreamError(f"options['from'] is a real env, such as agent.real_env() makes; not {env!r}")
    return inner.starts()


@torch.no_grad()
def encode(world_model: WorldModel, frames: np.ndarray | Tensor, precision: Precision) -> Tensor:
    """Frames (… 64 64 3) to latents (… c h w), as the agent sees them."""
    if isinstance(frames, np.ndarray):
        frames = np.ascontiguousarray(frames)  # torch takes no picture that was flipped by its strides
    with precision.autocast():
        return world_model.encode(torch.as_tensor(frames, device=precision.device))
