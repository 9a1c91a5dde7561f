"""What of a dream, or of the real world behind the encoder, a policy is shown; the same for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.spaces import Box
from jaxtyping import Float, UInt8
from torch import Tensor

from jedi_sdk.dream.arguments import FRAME, DreamError, refuse_below_one, refuse_other_than
from jedi_sdk.types import DreamState
from jedi_sdk.world_model import WorldModel

KINDS = ("latent", "features", "pixels")
Probe = Callable[[Tensor], Tensor]  # latents (n c h w) -> pictures (n 3 64 64) from -1 to 1


@dataclass(frozen=True)
class View:
    """``obs``: the last ``stack`` latents on the channel axis, the oldest first (``"latent"``); the heads' recurrent
    state, which remembers the episode (``"features"``); or the last latent as ``probe`` paints it (``"pixels"``).
    """

    world_model: WorldModel
    obs: str = "latent"
    stack: int = 1
    probe: Probe | None = None

    def __post_init__(self) -> None:
        refuse_other_than("obs", self.obs, KINDS)
        refuse_below_one("stack", self.stack, "at least the last latent is shown")
        if self.stack > (self.world_model.context if self.obs == "latent" else 1):
            raise DreamError(
                f"stack={self.stack} with obs={self.obs!r}: latents alone are stacked, and of those the dream keeps "
                f"{self.world_model.context}; write stack=1 to stack={self.world_model.context} with obs='latent'"
            )
        if self.obs == "pixels":
            self.refuse_without_probe("obs='pixels'")

    def refuse_without_probe(self, wish: str) -> None:
        if self.probe is None:
            raise DreamError(
                f"{wish} needs a probe, which paints latents as pictures, and there is none: pass probe=, a module "
                "from latents (n, c, h, w) to pictures (n, 3, 64, 64) between -1 and 1; or look at obs='latent'"
            )

    @property
    def space(self) -> Box:
        c, h, w = self.world_model.latent_shape
        if self.obs == "pixels":
            return Box(0, 255, FRAME, np.uint8)
        if self.obs == "features":
            return Box(-1.0, 1.0, tuple(self.world_model.heads.lstm.empty(1)[0].shape[1:]), np.float32)
        bound = self.world_model.target.bound
        return Box(-bound, bound, (self.stack * c, h, w), np.float32)

    def __call__(self, state: DreamState) -> Tensor:
        """A batch of observations, without a copy where there need be none."""
        if self.obs == "features":
            return state.lstm[0]
        if self.obs == "pixels":
            return self.pixels(state.z[:, -1])
        return state.z[:, -1] if self.stack == 1 else state.z[:, -self.stack :].flatten(1, 2)

    @torch.no_grad()
    def pixels(self, z: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n H W 3"]:
        assert self.probe is not None
        return paint(self.probe, z)


@torch.no_grad()
def paint(probe: Probe, z: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n H W 3"]:
    """Latents as frames."""
    return probe(z).float().add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
