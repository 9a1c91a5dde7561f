"""The trick of these pages: every frame carries its number in its pixels, and the encoder looks its latent up in a
table of parameters. So latents are whatever a test wants, and the table's gradient tells which frames learned.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from jedi_sdk.config import Config, ObjectiveConfig
from jedi_sdk.presets import OBJECTIVES
from jedi_sdk.types import Segment
from jedi_sdk.world_model import Denoiser, WorldModel

B, T, SHAPE = 3, 6, (4, 8, 8)
OF_LATENTS = [name for name in OBJECTIVES if name != "pixel"]


class Table(nn.Module):
    """An encoder that knows every frame by its number."""

    latent_shape = SHAPE

    def __init__(self, frames: int = B * T, std: float = 0.5) -> None:
        super().__init__()
        self.latents = nn.Parameter(std * torch.randn(frames, *SHAPE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.latents[self.numbers(x)]

    def numbers(self, x: torch.Tensor) -> torch.Tensor:
        low, high = ((x[:, :2, 0, 0] + 1) * 127.5).round().long().unbind(1)
        return low + 256 * high

    def learned(self) -> torch.Tensor:
        """Which frames got a gradient (b t)."""
        assert self.latents.grad is not None
        return self.latents.grad.flatten(1).any(1).view(-1, T)


class Recorder(Denoiser):
    """A denoiser that keeps the contexts and actions it saw; ``constant`` replaces what the network says."""

    constant: float | None = None
    seen: Any

    def network(self, y_scaled, c_noise, z, act):
        self.seen.append((z, act))
        f = super().network(y_scaled, c_noise, z, act)
        return f if self.constant is None else torch.full_like(f, self.constant)


def segment(b: int = B, t: int = T, **columns: torch.Tensor) -> Segment:
    numbers = torch.arange(b * t)
    obs = torch.zeros(b * t, 64, 64, 3, dtype=torch.uint8)
    obs[:, 0, 0, 0], obs[:, 0, 0, 1] = (numbers % 256).byte(), (numbers // 256).byte()
    no, yes = torch.zeros(b, t, dtype=torch.bool), torch.ones(b, t, dtype=torch.bool)
    fixed = {"obs": obs.view(b, t, 64, 64, 3), "rew": no.float(), "end": no, "trunc": no, "mask": yes}
    act = torch.randint(3, (b, t), generator=torch.Generator().manual_seed(0))
    return Segment(**{**fixed, "act": act, **columns})


def with_objective(config: Config, objective: ObjectiveConfig | None = None, **values) -> Config:
    return replace(config, objective=replace(objective or config.objective, **values))


def plain(config: Config, **values) -> Config:
    """Nothing done to the latents: they are what the table says, and what is diffused."""
    untouched = {
        "predict": "latent",
        "latent_scale": "none",
        "target_scale": "none",
        "clamp": False,
        "heads_latents": "encoded",
    }
    return with_objective(config, **{**untouched, **values})


def build(config: Config, encoder: Table | None = None, constant: float | None = None, wake=None) -> Any:
    """A world model with a table and a recorder, awake if asked for."""
    encoder, config = (
        encoder or Table(),
        with_objective(config, relative_to_mean=False),
    )  # it reads the frames' own pixels
    denoiser: Any = Recorder(SHAPE, 3, config.context, config.denoiser, config.objective)
    denoiser.seen, denoiser.constant = [], constant
    world_model = WorldModel(config, 3, encoder=encoder, denoiser=denoiser)
    if wake is not None:
        wake(world_model.denoiser)
        wake(world_model.heads)
    return world_model
