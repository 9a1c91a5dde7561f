"""What flows between the stages: frozen dataclasses, shapes in the annotations.

Letters: ``b`` batch (or number of envs), ``t`` time, ``k`` latents in the context, ``c h w`` a latent's
channels, height, width; frames are uint8 ``b t H W 3`` exactly as they lie in the replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """``t`` consecutive frames of one episode each, anchored on the last frame of the context.

    Frame ``t`` is followed by action ``t``, which earns ``rew[t]`` and may ``end`` (or ``trunc``) the episode.
    ``mask[t]`` says that frame ``t`` belongs to the anchor's episode. Before an episode's first frame the
    segment is padded with that frame and action 0; behind its last frame, with anything. A transition
    ``t → t+1`` counts only where ``mask[t] & mask[t+1]``.
    """

    obs: UInt8[Tensor, "b t H W 3"]
    act: Int64[Tensor, "b t"]
    rew: Float[Tensor, "b t"]  # the sign of the reward: -1, 0 or 1
    end: Bool[Tensor, "b t"]
    trunc: Bool[Tensor, "b t"]
    mask: Bool[Tensor, "b t"]

    def to(self, device: torch.device | str) -> Segment:
        return Segment(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})

    def __getitem__(self, index: Any) -> Segment:
        """Slices every field alike: ``segment[:, :4]`` is the context."""
        return Segment(**{name: value[index] for name, value in vars(self).items()})


LSTMState = tuple[Float[Tensor, "b memory"], Float[Tensor, "b memory"]]


@dataclass(frozen=True)
class DreamState:
    """Where ``b`` dreams stand: the last ``k`` latents, the ``k-1`` actions between them, the heads' memory."""

    z: Float[Tensor, "b k c h w"]
    act: Int64[Tensor, "b k-1"]
    lstm: LSTMState

    def __getitem__(self, ids: Int64[Tensor, "s"]) -> DreamState:
        """Some of the dreams, by their numbers, which may repeat."""
        z, act, h, c = (x.index_select(0, ids) for x in (self.z, self.act, *self.lstm))  # quicker than x[ids]
        return DreamState(z, act, (h, c))

    def put(self, ids: Int64[Tensor, "s"], some: DreamState) -> DreamState:
        """These dreams with ``some`` in the places ``ids``; what was handed out before is not written to."""
        h, c = (whole.index_copy(0, ids, part) for whole, part in zip(self.lstm, some.lstm, strict=True))
        return DreamState(self.z.index_copy(0, ids, some.z), self.act.index_copy(0, ids, some.act), (h, c))

    def put_(self, ids: Int64[Tensor, "s"], some: DreamState) -> None:
        """The same in place, without a copy of all: for who knows that nobody else has these tensors."""
        for whole, part in zip((self.z, self.act, *self.lstm), (some.z, some.act, *some.lstm), strict=True):
            whole.index_copy_(0, ids, part)


@dataclass(frozen=True)
class Rollout:
    """``b`` dreams of ``t`` imagined steps. ``z[:, t]`` is where action ``t`` was chosen; ``frames`` = t + 1.

    ``rew`` is the reward's sign, or the mean of it. ``mask[t]``: the dream was still running when action ``t`` was
    chosen. ``lstm`` is the policy's memory before ``z[:, 0]``.
    """

    z: Float[Tensor, "b frames c h w"]
    act: Int64[Tensor, "b t"]
    rew: Float[Tensor, "b t"]
    end: Bool[Tensor, "b t"]
    mask: Bool[Tensor, "b t"]
    lstm: Any


@dataclass(frozen=True)
class Targets:
    """What every gradient step on a ``Rollout`` aims at, as the first one saw it: λ-returns, how much better than the
    value they are, and the log-probability with which each action was chosen.
    """

    returns: Float[Tensor, "b t"]
    advantage: Float[Tensor, "b t"]
    log_p: Float[Tensor, "b t"]


@dataclass(frozen=True)
class Losses:
    """A loss to descend (a scalar tensor) and what to log beside it (detached scalars).

    ``targets``: what further gradient steps on the same data aim at; None where one is all.
    """

    total: Float[Tensor, ""]
    terms: dict[str, Tensor]
    targets: Targets | None = None


@runtime_checkable
class Policy(Protocol):
    """Anything that acts. ``x`` is a batch of frames (real world) or latents (dream).

    ``state`` is the policy's own memory, None at the very start; ``first[i]`` says that row ``i`` begins a
    new episode, so its memory must be forgotten. Returns ``act`` (b,) int64 and the new memory.
    """

    def __call__(self, x: Tensor, state: Any, first: Bool[Tensor, "b"]) -> tuple[Int64[Tensor, "b"], Any]: ...
