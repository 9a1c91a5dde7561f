"""The encoder's shapes at every patch size, and the clamp."""

import pytest
import torch

from jedi_sdk.config import EncoderConfig
from jedi_sdk.world_model import Encoder, clamp


@pytest.mark.parametrize(
    ("patch", "channels"), [(1, (8, 8, 8, 16)), (2, (8, 8, 8, 16)), (4, (8, 8, 8, 16)), (4, (8, 16)), (8, (16,))]
)
def test_64_pixels_become_8_whatever_the_stem(patch, channels) -> None:
    encoder = Encoder(EncoderConfig(patch=patch, channels=channels))
    z = encoder(torch.randn(2, 3, 64, 64))
    assert tuple(z.shape[1:]) == encoder.latent_shape == (16, 8, 8)


def test_a_changed_corner_stays_in_its_corner_of_the_latent() -> None:
    """Convolutions alone; group norm moves the rest a little."""
    encoder, x = Encoder(EncoderConfig(patch=8, channels=(8, 4))), torch.randn(1, 3, 64, 64)
    other = x.clone()
    other[..., :8, 56:] += 1
    change = (encoder(other) - encoder(x)).abs().mean((0, 1))
    assert int(change.argmax()) in (6, 7, 14, 15)  # the upper right 2x2 of 8x8


def test_the_clamp_is_soft_and_bounded() -> None:
    z = torch.linspace(-50, 50, 101)
    assert float(clamp(z, 3.0).abs().max()) <= 3
    assert (clamp(z, 3.0).diff() >= 0).all()
    small = torch.tensor([-0.1, 0.0, 0.1])
    torch.testing.assert_close(clamp(small, 3.0), small, rtol=1e-3, atol=0)
    assert float(clamp(torch.tensor(3.0), 3.0)) == pytest.approx(3 * 0.76159, rel=1e-4)  # 3·tanh 1
