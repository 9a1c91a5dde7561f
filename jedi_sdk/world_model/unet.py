"""The U-Net inside the denoiser: one level for latents, several for pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from jedi_sdk.config import DenoiserConfig
from jedi_sdk.nn import Double, Halve, ResBlock, conv3x3, group_norm, zeroed


class UNet(nn.Module):
    """``depths``: residual blocks a level, the finest first; each further level has half the side.

    Conditioned by adaptive group norm. On the way up every level has one block more, because each block there sees
    one feature map of the way down.
    """

    def __init__(self, c_in: int, c_out: int, config: DenoiserConfig, depths: Sequence[int]) -> None:
        super().__init__()
        c, d = config.channels, config.cond_channels
        self.conv_in = conv3x3(c_in, c)
        self.down = nn.ModuleList()
        for level, depth in enumerate(depths):
            self.down.extend([Halve(c)] if level else [])
            self.down.extend(ResBlock(c, c, d) for _ in range(depth))
        self.middle = nn.ModuleList([ResBlock(c, c, d, attention=config.attention) for _ in range(2)])
        self.up = nn.ModuleList()
        for level, depth in reversed(list(enumerate(depths))):
            self.up.extend(ResBlock(2 * c, c, d) for _ in range(depth + 1))
            self.up.extend([Double(c)] if level else [])
        self.norm_out = group_norm(c)
        self.conv_out = zeroed(conv3x3(c, c_out))

    def forward(self, x: Float[Tensor, "n e h w"], cond: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        x = self.conv_in(x)
        skips = [x]
        for block in self.down:
            x = block(x, cond)
            skips.append(x)
        for block in self.middle:
            x = block(x, cond)
        for block in self.up:
            x = block(x) if isinstance(block, Double) else block(torch.cat([x, skips.pop()], dim=1), cond)
        return self.conv_out(F.silu(self.norm_out(x)))
