"""For all tests of dreams."""

from __future__ import annotations

import pytest
import torch

from jedi_sdk import JEDI
from jedi_sdk.dream import Starts


@pytest.fixture(scope="module")
def agent() -> JEDI:
    """Has learned nothing; its dreams begin at noise."""
    agent = JEDI("catch", preset="tiny", device="cpu", seed=0)
    context, shape = agent.world_model.context, agent.world_model.latent_shape
    z = torch.randn(8, context, *shape).clamp(-1, 1)
    agent._starts = Starts(z, torch.zeros(8, context - 1, dtype=torch.int64), torch.ones(8, context, dtype=torch.bool))
    return agent
