"""Heads R: reward sign and termination, read off a transition (z[t], a[t], z[t+1]) with a memory of the episode."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from jedi_sdk.config import HeadsConfig
from jedi_sdk.layers import Linear
from jedi_sdk.nn import Halve, MaskedLSTM, ResBlock, conv3x3, group_norm
from jedi_sdk.rng import Rng
from jedi_sdk.types import LSTMState

NUM_REWARDS = 3  # the sign: -1, 0, 1
Reading = Literal["sample", "mean", "argmax"]  # what is made of the sign's three probabilities


class Heads(nn.Module):
    """Convolutions on both latents or on their change, conditioned on the action; an LSTM; two classifications.

    ``halving``: each stage behind the first sees half the side of the one before.
    """

    def __init__(
        self, latent_shape: tuple[int, int, int], num_actions: int, config: HeadsConfig, halving: bool = False
    ) -> None:
        super().__init__()
        c, h, w = latent_shape
        d, width = config.cond_channels, config.channels
        self.reads, self.dropout = config.reads, config.dropout
        self.embed_act = nn.Embedding(num_actions, d)
        self.conv_in = conv3x3(2 * c if self.reads == "pair" else c, width)
        self.blocks = nn.ModuleList()
        for stage, depth in enumerate(config.depths):
            self.blocks.extend([Halve(width)] if halving and stage else [])
            self.blocks.extend(ResBlock(width, width, d) for _ in range(depth))
        self.blocks.extend(ResBlock(width, width, d, attention=config.attention) for _ in range(2))
        halvings = (len(config.depths) - 1 if halving else 0) + config.pool
        self.norm = nn.Sequential(group_norm(width), nn.SiLU(), nn.MaxPool2d(2) if config.pool else nn.Identity())
        self.lstm = MaskedLSTM(width * (h >> halvings) * (w >> halvings), config.lstm)
        last = Linear(config.lstm, NUM_REWARDS + 2, bias=False)
        nn.init.zeros_(last.weight)  # fresh heads promise nothing
        self.out = nn.Sequential(Linear(config.lstm, config.lstm), nn.SiLU(), last)

    def forward(
        self,
        z: Float[Tensor, "b frames c h w"],
        act: Int64[Tensor, "b t"],
        state: LSTMState | None = None,
        mask: Bool[Tensor, "b s"] | None = None,
        drop: Rng | None = None,
    ) -> tuple[Float[Tensor, "b t 3"], Float[Tensor, "b t 2"], LSTMState]:
        """Logits of the reward sign and of (goes on, ends), for every transition; and the memory behind them.

        ``mask``: which of the first ``s`` transitions are real (the others pad the episode's start). ``drop``: in
        learning, what to draw ``dropout`` with.
        """
        b, t = act.shape
        cond = self.embed_act(act.flatten())
        x = self.conv_in(self._transitions(z[:, :-1], z[:, 1:]).flatten(0, 1))
        for block in self.blocks:
            x = block(x, cond)
        told = self.norm(x).reshape(b, t, -1)
        if drop is not None and self.dropout:
            told = told * (drop.uniform(*told.shape) >= self.dropout) / (1 - self.dropout)
        y, memory = self.lstm(told, state, mask)
        logits_rew, logits_end = self.out(y).float().split([NUM_REWARDS, 2], dim=-1)
        return logits_rew, logits_end, memory

    def _transitions(
        self, z: Float[Tensor, "b t c h w"], z_next: Float[Tensor, "b t c h w"]
    ) -> Float[Tensor, "b t inputs h w"]:
        """What the convolutions see: ``c`` channels of a change, or ``2c`` of a pair."""
        return z_next - z if self.reads == "change" else torch.cat([z, z_next], dim=2)


def read_reward(logits: Float[Tensor, "b 3"], reading: Reading, rng: Rng) -> Float[Tensor, "b"]:
    """The sign of the reward: drawn, the likeliest, or its mean, which lies between -1 and 1."""
    if reading == "mean":
        p = logits.softmax(-1)
        return p[:, 2] - p[:, 0]
    return (rng.categorical(logits) if reading == "sample" else logits.argmax(-1)).float() - 1
