"""Half precision: kernels and matrices in half the space, and an agent that sees and acts nearly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from jedi_sdk import JEDI, CheckpointError, checkpoint
from jedi_sdk.checkpoint import Card
from jedi_sdk.presets import TINY

ROUNDING = 2.0**-11  # of a float16, relative to the number
FRAMES = np.load(Path(__file__).parent.parent / "data" / "schema1" / "known.npz")["frames"]


@pytest.fixture
def halved(agent: JEDI, tmp_path: Path) -> Path:
    return agent.save_pretrained(tmp_path / "half", half=True)


def test_only_kernels_and_matrices_are_rounded(agent: JEDI, halved: Path) -> None:
    exact, stored = agent._networks.state_dict(), load_file(halved / checkpoint.MODEL)
    weights = {name for name, weight in agent._networks.named_parameters() if weight.ndim >= 2}
    assert {name for name, tensor in stored.items() if tensor.dtype == torch.float16} == weights
    for name in exact.keys() - weights:
        assert torch.equal(stored[name], exact[name]), name
    for name in weights:
        torch.testing.assert_close(stored[name].float(), exact[name], rtol=ROUNDING, atol=2.0**-24, msg=name)


def test_it_sees_and_acts_nearly_the_same(agent: JEDI, halved: Path) -> None:
    """What it sees and thinks differs by no more than the roundings of a few layers, one upon the other."""
    loaded = JEDI.from_pretrained(halved, device="cpu")
    assert {p.dtype for p in loaded._networks.parameters()} == {torch.float32}
    with torch.no_grad():
        z, other = (a.world_model.encode(torch.from_numpy(FRAMES[-1])) for a in (agent, loaded))
        torch.testing.assert_close(z, other, rtol=0, atol=16 * ROUNDING)
        (logits, val, _), (logits_half, val_half, _) = (a.actor_critic(z[:, None]) for a in (agent, loaded))
    torch.testing.assert_close(logits, logits_half, rtol=0, atol=16 * ROUNDING)
    torch.testing.assert_close(val, val_half, rtol=0, atol=16 * ROUNDING)


def test_it_plays_and_dreams(halved: Path) -> None:
    loaded = JEDI.from_pretrained(halved, device="cpu")
    assert loaded.evaluate(2, progress=False).episodes == 2
    assert loaded.dream_env(2).reset()[0].shape == (2, *loaded.world_model.latent_shape)


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    networks = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2)})
    torch.nn.init.constant_(networks["a"].weight, 1e5)
    with pytest.raises(CheckpointError, match=r"a\.weight is too large for float16.*save it without half"):
        checkpoint.save(tmp_path / "agent", Card(TINY, 3, "cpu", "float32"), networks, half=True)
    assert list(tmp_path.iterdir()) == []
