"""What an objective may add to equation 8: a guard against collapse, the ablation's reconstruction."""

from __future__ import annotations

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from jedi_sdk.config import ObjectiveConfig
from jedi_sdk.rng import Rng
from jedi_sdk.world_model.encoder import pixels
from jedi_sdk.world_model.regularize import sigreg, vicreg


def companions(
    objective: ObjectiveConfig,
    decoder: nn.Module | None,
    z: Float[Tensor, "n c h w"],
    obs: UInt8[Tensor, "n H W 3"],
    rng: Rng,
) -> dict[str, Tensor]:
    """Losses by name, of the latents ``z`` of ``obs``."""
    losses = {}
    if objective.regularizer != "none":
        x = z.flatten(1) / objective.latent_std
        guard = vicreg(x) if objective.regularizer == "vicreg" else sigreg(x, rng)
        losses[f"encoder/{objective.regularizer}"] = objective.regularizer_weight * guard
    if decoder is not None:
        losses["encoder/reconstruction"] = (decoder(z) - pixels(obs)).square().mean()
    return losses
