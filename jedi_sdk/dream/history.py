"""What the real world was lately, as a dream remembers it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from jedi_sdk.dream.starts import Starts
from jedi_sdk.dream.view import View
from jedi_sdk.types import DreamState
from jedi_sdk.world_model import WorldModel


@dataclass(frozen=True)
class History:
    """What ``b`` real episodes were lately: a dream's state, and which of its latents are of the episode."""

    state: DreamState
    mask: Bool[Tensor, "b k"]

    @staticmethod
    def begun(world_model: WorldModel, z: Float[Tensor, "b c h w"]) -> History:
        """First frames: as in a ``Segment``, what was before them is the first frame again, with action 0."""
        b, k = len(z), world_model.context
        act = torch.zeros(b, k - 1, dtype=torch.int64, device=z.device)
        state = DreamState(z[:, None].repeat(1, k, 1, 1, 1), act, world_model.heads.lstm.empty(b))
        return History(state, (torch.arange(k, device=z.device) == k - 1).repeat(b, 1))

    @torch.no_grad()
    def followed(self, view: View, act: Int64[Tensor, "b"], z: Float[Tensor, "b c h w"]) -> History:
        """``act`` was done and led to ``z``. The heads only watch where their memory is looked at."""
        state, lstm = self.state, self.state.lstm
        if view.obs == "features":
            _, _, lstm = view.world_model.heads(torch.stack([state.z[:, -1], z], 1), act[:, None], lstm)
        acts, zs = torch.cat([state.act, act[:, None]], 1), torch.cat([state.z, z[:, None]], 1)
        mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1)
        return History(DreamState(zs[:, 1:], acts[:, 1:], lstm), mask[:, 1:])

    def starts(self) -> Starts:
        return Starts(self.state.z, self.state.act, self.mask)

    def put(self, ids: Int64[Tensor, "s"], some: History) -> History:
        return History(self.state.put(ids, some.state), self.mask.index_copy(0, ids, some.mask))
