"""The encoder's start in cosines: its filters, what it sees at first, and that it is foreseen more easily."""

import pytest
import torch
from torch import Tensor

from jedi_sdk.config import EncoderConfig
from jedi_sdk.world_model import Encoder
from jedi_sdk.world_model.cosine_start import low_frequencies
from jedi_sdk.world_model.encoder import pixels


@pytest.mark.parametrize(("count", "side"), [(1, 2), (12, 2), (32, 4), (32, 8), (192, 8)])
def test_filters_are_orthonormal(count: int, side: int) -> None:
    filters = low_frequencies(count, side)
    assert filters.shape == (count, 3, side, side)
    torch.testing.assert_close(filters.flatten(1) @ filters.flatten(1).T, torch.eye(count), atol=1e-5, rtol=0)


def test_the_slowest_come_first() -> None:
    """Brightness, the two other colours, then brightness from left to right and from top to bottom."""
    filters = low_frequencies(5, 4)
    for flat, colour in zip(filters[:3], ([1, 1, 1], [1, -1, 0], [1, 1, -2]), strict=True):
        wanted = torch.nn.functional.normalize(torch.tensor(colour, dtype=torch.float32), dim=0) / 4
        torch.testing.assert_close(flat, wanted[:, None, None].expand(3, 4, 4))
    for slope, along in ((filters[3], 2), (filters[4], 1)):
        assert (slope.diff(dim=along) < 0).all()
        torch.testing.assert_close(slope.diff(dim=3 - along), torch.zeros_like(slope.diff(dim=3 - along)))


def test_a_fresh_encoder_gives_the_low_frequencies_of_each_patch() -> None:
    encoder, x = cosines(), torch.randn(2, 3, 64, 64)
    patch = x[1, :, 8:16, 24:32]  # the second row's fourth
    wanted = torch.einsum("kchw,chw->k", low_frequencies(16, 8), patch)
    torch.testing.assert_close(encoder(x)[1, :, 1, 3], wanted, rtol=1e-4, atol=1e-4)


def test_all_of_it_learns() -> None:
    """A zeroed branch hands no gradient on to its norm at first; from the second step on it does."""
    encoder, x, z = cosines(), torch.randn(2, 3, 64, 64), torch.randn(2, 16, 8, 8)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=1e-3)
    for still in (".norm.", "nothing"):
        optimizer.zero_grad()
        (encoder(x) - z).square().mean().backward()
        assert all(p.grad is not None and p.grad.any() for name, p in encoder.named_parameters() if still not in name)
        optimizer.step()


def test_less_of_it_flickers_from_frame_to_frame_of_boxing_than_of_random_filters(random_play) -> None:
    frames = pixels(random_play("boxing", 64, 0))
    with torch.no_grad():
        assert _flicker(cosines()(frames)) < 0.75 * _flicker(Encoder(EncoderConfig(patch=8))(frames))


def cosines() -> Encoder:
    torch.manual_seed(0)
    return Encoder(EncoderConfig(patch=8, start="cosines"))


def _flicker(z: Tensor) -> float:
    """The change from frame to frame over the variance."""
    return float(z.diff(dim=0).square().mean() / (z - z.mean(0)).square().mean())
