"""The bricks: residual blocks with and without conditioning, attention, noise features, a masked LSTM.

Sizes follow DIAMOND's (github eloialonso/diamond), which JEDI keeps: groups of 32 channels, and the last
convolution of every residual branch starts at zero, so that a fresh network is close to the identity.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from jedi_sdk.layers import Conv2d, Linear
from jedi_sdk.types import LSTMState

CHANNELS_PER_GROUP = 32


def group_norm(channels: int, affine: bool = True) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // CHANNELS_PER_GROUP), channels, affine=affine)


def conv3x3(c_in: int, c_out: int) -> Conv2d:
    return Conv2d(c_in, c_out, kernel_size=3, padding=1)


def conv1x1(c_in: int, c_out: int) -> Conv2d:
    return Conv2d(c_in, c_out, kernel_size=1)


def zeroed(conv: Conv2d) -> Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class ConvBlock(nn.Module):
    """GroupNorm - SiLU - Conv3x3 with a skip: the block of the encoder and of the actor-critic."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.norm = group_norm(c_in)
        self.conv = conv3x3(c_in, c_out)
        self.skip = nn.Identity() if c_in == c_out else conv1x1(c_in, c_out)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        return self.skip(x) + self.conv(F.silu(self.norm(x)))


class AdaGroupNorm(nn.Module):
    """GroupNorm whose scale and shift are read off a conditioning vector."""

    def __init__(self, channels: int, cond_channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels, affine=False)
        self.scale_shift = Linear(cond_channels, 2 * channels)

    def forward(self, x: Float[Tensor, "n c h w"], cond: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        scale, shift = self.scale_shift(cond).view(len(x), 2, x.shape[1], 1, 1).unbind(1)
        return torch.addcmul(shift, self.norm(x), 1 + scale)


class SelfAttention(nn.Module):
    """Attention among the positions of a feature map, with a skip; heads of 8 channels, or of the next number that
    divides them.
    """

    HEAD_CHANNELS = 8

    def __init__(self, channels: int) -> None:
        super().__init__()
        most = max(1, channels // self.HEAD_CHANNELS)
        self.heads = next(heads for heads in range(most, 0, -1) if channels % heads == 0)
        self.norm = group_norm(channels)
        self.qkv = conv1x1(channels, 3 * channels)
        self.out = zeroed(conv1x1(channels, channels))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        n, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).view(n, 3, self.heads, c // self.heads, h * w).transpose(-1, -2)
        y = _attend(*qkv.unbind(1))
        return x + self.out(y.transpose(-1, -2).reshape(n, c, h, w))


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(QKᵀ/√d)V. On a CPU torch's fused kernel takes several times as long for heads this small."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v)
    return (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(-1) @ v


class ResBlock(nn.Module):
    """Two conditioned convolutions with a skip, and attention behind them where asked for."""

    def __init__(self, c_in: int, c_out: int, cond_channels: int, attention: bool = False) -> None:
        super().__init__()
        self.skip = nn.Identity() if c_in == c_out else conv1x1(c_in, c_out)
        self.norm1 = AdaGroupNorm(c_in, cond_channels)
        self.conv1 = conv3x3(c_in, c_out)
        self.norm2 = AdaGroupNorm(c_out, cond_channels)
        self.conv2 = zeroed(conv3x3(c_out, c_out))
        self.attention = SelfAttention(c_out) if attention else nn.Identity()

    def forward(self, x: Float[Tensor, "n c h w"], cond: Float[Tensor, "n d"]) -> Float[Tensor, "n e h w"]:
        y = self.conv1(F.silu(self.norm1(x, cond)))
        y = self.conv2(F.silu(self.norm2(y, cond)))
        return self.attention(self.skip(x) + y)


class Halve(nn.Module):
    """Half the side, by a convolution of stride 2; stands among residual blocks, whose condition it leaves alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"], cond: Float[Tensor, "n d"]) -> Float[Tensor, "n c h2 w2"]:
        return self.conv(x)


class Double(nn.Module):
    """Twice the side: each position four times, and a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class FourierFeatures(nn.Module):
    """Random Fourier features of the noise level c_noise (n,) -> (n, d); the frequencies are not trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("frequencies", torch.randn(-(-channels // 2)))
        self.frequencies: Tensor

    def forward(self, c_noise: Float[Tensor, "n"]) -> Float[Tensor, "n d"]:
        angle = 2 * math.pi * c_noise[:, None] * self.frequencies
        return torch.cat([angle.cos(), angle.sin()], dim=-1)[:, : self.channels]


class ActionEmbedding(nn.Module):
    """``t`` actions -> one vector of ``channels``; each action gets an equal share of it, what is left over none."""

    def __init__(self, num_actions: int, steps: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.embed = nn.Embedding(num_actions, channels // steps)

    def forward(self, act: Int64[Tensor, "n t"]) -> Float[Tensor, "n d"]:
        shares = self.embed(act).flatten(1)
        return F.pad(shares, (0, self.channels - shares.shape[1]))


class MaskedLSTM(nn.Module):
    """An LSTM (Hochreiter & Schmidhuber 1997, with a forget gate) that forgets where it is told to.

    Its input projection is one matrix product for all steps; the recurrence is written out, because a step then
    costs ten small operations instead of a repacking of all weights, and because memory can be emptied anywhere.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input = Linear(input_size, 4 * hidden_size)
        self.recurrent = Linear(hidden_size, 4 * hidden_size, bias=False)
        # torch's default ignores the input's width: over a flattened map the gates would start saturated.
        nn.init.xavier_uniform_(self.input.weight)
        nn.init.orthogonal_(self.recurrent.weight)
        nn.init.zeros_(self.input.bias)
        nn.init.ones_(self.input.bias.data[hidden_size : 2 * hidden_size])  # remember, to begin with

    def empty(self, b: int) -> LSTMState:
        zeros = torch.zeros(b, self.hidden_size, device=self.input.weight.device)
        return zeros, zeros

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        state: LSTMState | None = None,
        mask: Bool[Tensor, "b s"] | None = None,
    ) -> tuple[Float[Tensor, "b t e"], LSTMState]:
        """Outputs of ``t`` steps and the memory behind them.

        ``mask[:, i]`` says whether step ``i`` of the first ``s`` is real; the memory is empty behind one that is not.
        """
        h, c = self.empty(len(x)) if state is None else state
        projected = self.input(x).float().unbind(1)  # at once: each projected[:, t] would have a gradient for all steps
        outputs = []
        for t, step in enumerate(projected):
            i, f, g, o = (step + self.recurrent(h)).chunk(4, dim=-1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
            if mask is not None and t < mask.shape[1]:
                h, c = h * mask[:, t, None], c * mask[:, t, None]
        return torch.stack(outputs, dim=1), (h, c)
