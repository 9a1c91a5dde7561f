"""The pixel probe: latents as pictures, by a small decoder that looks in and never teaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.world_model import FRAME_SIZE, WorldModel
from jedi_sdk.world_model.decoder import Decoder
from jedi_sdk.world_model.encoder import pixels
from jedi_sdk.world_model.scale import FrameMean

LR, BATCH, CHANNELS = 1e-3, 32, 32
SMALL_THINGS = 20.0  # how much more a pixel counts that is not the mean frame's
NOTICEABLE = 0.05  # from where on it is not, of the range from -1 to 1


class PixelProbe(nn.Module):
    """A ``Decoder`` of what differs from the mean frame, and that mean."""

    def __init__(self, latent_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.decoder = Decoder(latent_shape, CHANNELS)
        self.frame_mean = FrameMean((FRAME_SIZE, FRAME_SIZE, 3))

    def forward(self, z: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 H W"]:
        """Pictures from -1 to 1."""
        return (self.decoder(z) + pixels(self.frame_mean())).clamp(-1, 1)

    def loss(self, z: Float[Tensor, "n c h w"], obs: UInt8[Tensor, "n H W 3"]) -> Float[Tensor, ""]:
        """Weighted squared error; without the weights a ball of one pixel would be worth nothing."""
        target = pixels(obs) - pixels(self.frame_mean())
        weight = 1 + SMALL_THINGS * (target.abs().amax(1, keepdim=True) > NOTICEABLE)
        return (weight * (self.decoder(z.detach()) - target).square()).sum() / weight.expand_as(target).sum()


class ProbeTrainer:
    """Fits a probe to the latents of a world model that it does not touch, with draws of its own."""

    def __init__(self, probe: PixelProbe, world_model: WorldModel, precision: Precision, seed: int) -> None:
        self.probe, self.world_model, self.precision = probe, world_model, precision
        self.optimizer = torch.optim.AdamW(probe.parameters(), lr=LR)
        self.sampling = np.random.default_rng([seed, 1])

    def update(self, replay: Replay) -> Tensor:
        """One step on single frames; the loss, a scalar still on its device."""
        obs = replay.sample(BATCH, replay.context, self.sampling).obs[:, -1].to(self.precision.device)
        self.probe.frame_mean.update(obs, torch.ones(len(obs), dtype=torch.bool, device=obs.device))
        with self.precision.autocast():
            with torch.no_grad():
                z = self.world_model.encode(obs)
            loss = self.probe.loss(z, obs)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "sampling": self.sampling.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.sampling.bit_generator.state = state["sampling"]
