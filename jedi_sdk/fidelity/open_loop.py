"""Open loop: from real contexts, dream along the recorded actions and compare with what really came.

The first ``context`` frames of a segment start the dream; dreamed step ``i`` of ``horizon`` answers frame
``context + i - 1``. A transition counts where it is real (``mask[t] & mask[t+1]``), at every step, whether
or not the dream believes that it ended before: a dream that ends too early is told by the termination's
confusion matrix, and by what it then makes of the frames that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from jedi_sdk.config import SamplerConfig
from jedi_sdk.fidelity.confusion import Confusion
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel


@dataclass(frozen=True)
class OpenLoop:
    """Sums over real transitions, by dreamed step, on the CPU in float64; ``a + b`` is both batches together.

    Figures of a step that no real transition reached are NaN.
    """

    count: Int64[Tensor, "horizon"]
    error: Float[Tensor, "horizon"]  # squared error of the dream, summed over a latent's elements
    repeat_error: Float[Tensor, "horizon"]  # the same of repeating the context's last latent
    total: Float[Tensor, "horizon c h w"]  # sum of the real latents
    square: Float[Tensor, "horizon"]  # sum of their squares
    dreamed_square: Float[Tensor, "horizon"]  # the same of the dreamed latents
    motion: Float[Tensor, "horizon"]  # squared change from the step before, summed over a latent's elements
    dreamed_motion: Float[Tensor, "horizon"]  # the same in the dream
    rew: Confusion  # of the reward's sign: -1, 0, 1
    end: Confusion  # of termination: goes on, ends
    rew_encoded: Confusion  # the same two where the heads are shown the real frames: what the dream is not to blame for
    end_encoded: Confusion

    def __add__(self, other: OpenLoop) -> OpenLoop:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return OpenLoop(**sums)

    @property
    def horizon(self) -> int:
        return len(self.count)

    @property
    def variance(self) -> Float[Tensor, "horizon"]:
        """Of the real latents at this step: each element's variance, summed over the elements."""
        return self.square / self.count - (self.total / self.count[:, None, None, None]).square().sum((1, 2, 3))

    @property
    def ratio(self) -> Float[Tensor, "horizon"]:
        """The dream's squared error over that of "repeat the last latent": below 1 is knowledge."""
        return self.error / self.repeat_error

    @property
    def size(self) -> Float[Tensor, "horizon"]:
        """Root mean square of the dreamed latents over that of the real ones: far from 1, it left their range."""
        return (self.dreamed_square / self.square).sqrt()

    @property
    def liveliness(self) -> Float[Tensor, "horizon"]:
        """How much moves from step to step, in squares, over what really moves: at 0 the dream is frozen."""
        return self.dreamed_motion / self.motion

    @property
    def fraction(self) -> Float[Tensor, "horizon"]:
        """The dream's mean squared error over the latents' variance: what it leaves unexplained."""
        return self.error / self.count / self.variance

    @property
    def repeat_fraction(self) -> Float[Tensor, "horizon"]:
        """The same of "repeat the last latent"."""
        return self.repeat_error / self.count / self.variance


def open_loop(world_model: WorldModel, segment: Segment, rng: Rng, sampler: SamplerConfig | None = None) -> OpenLoop:
    """How true the dreams from the contexts of ``segment`` are, over the ``horizon`` frames that it holds
    beyond them, with ``sampler`` in place of the world model's own.

    Reward and termination are the dream's samples, as a policy would meet them; and samples of what the heads make of
    the encoded frames themselves. Call it under ``precision.autocast()``.
    """
    z = encode_frames(world_model, segment.obs)
    encoded = read_along(world_model, segment, z, rng.apart())  # the dream's own draws stay what they are
    z_hat, *dreamed = dream_along(world_model, segment, z, rng, sampler)
    last = world_model.context - 1
    real = (segment.mask[:, last:-1] & segment.mask[:, last + 1 :]).cpu()
    z, z_hat, z_last = z[:, last + 1 :].cpu().double(), z_hat.cpu().double(), z[:, last, None].cpu().double()
    (rew, end), (rew_encoded, end_encoded) = (_confusions(segment, real, *said) for said in (dreamed, encoded))
    before, before_hat = torch.cat([z_last, z[:, :-1]], dim=1), torch.cat([z_last, z_hat[:, :-1]], dim=1)
    return OpenLoop(
        count=real.sum(0),
        error=_sum(z_hat - z, real),
        repeat_error=_sum(z_last - z, real),
        total=(z * real[..., None, None, None]).sum(0),
        square=_sum(z, real),
        dreamed_square=_sum(z_hat, real),
        motion=_sum(z - before, real),
        dreamed_motion=_sum(z_hat - before_hat, real),
        rew=rew,
        end=end,
        rew_encoded=rew_encoded,
        end_encoded=end_encoded,
    )


@torch.no_grad()
def encode_frames(world_model: WorldModel, obs: UInt8[Tensor, "b t H W 3"]) -> Float[Tensor, "b t c h w"]:
    """Latents of all frames, one moment after the other, so that memory holds one batch of feature maps."""
    return torch.stack([world_model.encode(frames) for frames in obs.unbind(1)], dim=1)


@torch.no_grad()
def dream_along(
    world_model: WorldModel,
    segment: Segment,
    z: Float[Tensor, "b t c h w"],
    rng: Rng,
    sampler: SamplerConfig | None = None,
) -> tuple[Float[Tensor, "b horizon c h w"], Float[Tensor, "b horizon"], Bool[Tensor, "b horizon"]]:
    """Latents, reward signs and ends, dreamed with the segment's actions from its encoded context ``z[:,
    :k]``.
    """
    k = world_model.context
    state = world_model.start_from(z[:, :k], segment.act[:, : k - 1], segment.mask[:, :k])
    zs, rews, ends = [], [], []
    for act in segment.act[:, k - 1 : -1].unbind(1):
        state, rew, end = world_model.step(state, act, rng, sampler)
        for column, value in zip((zs, rews, ends), (state.z[:, -1], rew, end), strict=True):
            column.append(value)
    return torch.stack(zs, dim=1), torch.stack(rews, dim=1), torch.stack(ends, dim=1)


@torch.no_grad()
def read_along(
    world_model: WorldModel, segment: Segment, z: Float[Tensor, "b t c h w"], rng: Rng
) -> tuple[Float[Tensor, "b horizon"], Bool[Tensor, "b horizon"]]:
    """Reward signs and ends as the heads draw them, shown the encoded frames in place of dreamed ones."""
    k = world_model.context
    lstm = world_model.start_from(z[:, :k], segment.act[:, : k - 1], segment.mask[:, :k]).lstm
    rews, ends = [], []
    for t in range(k - 1, z.shape[1] - 1):
        rew, end, lstm = world_model.read(z[:, t], z[:, t + 1], segment.act[:, t], lstm, rng)
        rews.append(rew)
        ends.append(end)
    return torch.stack(rews, dim=1), torch.stack(ends, dim=1)


def _confusions(
    segment: Segment, real: Bool[Tensor, "b horizon"], rew: Float[Tensor, "b horizon"], end: Bool[Tensor, "b horizon"]
) -> tuple[Confusion, Confusion]:
    """What was against what was said, of the reward's sign and of termination."""
    behind = slice(-1 - real.shape[1], -1)
    return (
        Confusion.count(_sign(segment.rew[:, behind].cpu()[real]), _sign(rew.cpu()[real]), 3),
        Confusion.count(segment.end[:, behind].cpu()[real].long(), end.cpu()[real].long(), 2),
    )


def _sum(x: Float[Tensor, "b t c h w"], real: Bool[Tensor, "b t"]) -> Float[Tensor, "t"]:
    """Squares, summed over elements and over the real entries of the batch."""
    return (x.square().sum((2, 3, 4)) * real).sum(0)


def _sign(rew: Float[Tensor, "m"]) -> Int64[Tensor, "m"]:
    return rew.sign().long() + 1
