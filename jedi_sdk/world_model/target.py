"""What is diffused, the next latent or its change; the way back to a latent; and where latents may lie."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from jaxtyping import Float
from torch import Tensor

from jedi_sdk.config import ObjectiveConfig
from jedi_sdk.world_model.encoder import clamp
from jedi_sdk.world_model.pixel import quantise
from jedi_sdk.world_model.scale import TargetScale


@dataclass(frozen=True)
class Target:
    """``y`` from two latents, and back. ``scale`` and its running figures belong to the world model.

    ``quantised``: latents are frames, so that a prediction is rounded to what a frame can show.
    """

    objective: ObjectiveConfig
    scale: TargetScale
    quantised: bool

    def raw(self, z_last: Float[Tensor, "n c h w"], z_next: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return z_next - z_last if self.objective.predict == "change" else z_next

    def __call__(self, z_last: Float[Tensor, "n c h w"], z_next: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        y = self.raw(z_last, z_next)
        return self.scale(y) if self.objective.target_scale == "tracked" else y

    def inverse(self, z_last: Float[Tensor, "n c h w"], y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        y = self.scale.inverse(y) if self.objective.target_scale == "tracked" else y
        if self.objective.predict == "latent" and self.objective.clamp:
            return clamp(y, self.objective.clamp_scale)
        # z_last went through the soft clamp already: a second one would shrink what did not change, step by step
        return self.nearest(y if self.objective.predict == "latent" else z_last + y)

    def nearest(self, z: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c h w"]:
        """The nearest latent that there can be."""
        return quantise(z) if self.quantised else z.clamp(-self.bound, self.bound)

    @property
    def bound(self) -> float:
        """What no element of a latent exceeds."""
        if self.quantised:
            return 1.0
        return self.objective.clamp_scale if self.objective.clamp else inf
