"""The trunk for policies that read latents, of any size and any number of batch dimensions."""

import pytest
import torch

from jedi_sdk.dream import DreamError
from jedi_sdk.dream.trunk import LatentTrunk


@pytest.mark.parametrize(
    ("shape", "flat"),
    [
        ((16, 8, 8), 8 * 4 * 4),
        ((64, 8, 8), 8 * 4 * 4),
        ((4, 4, 4), 8 * 4 * 4),
        ((4, 5, 7), 8 * 3 * 4),
        ((3, 64, 64), 128),
    ],
)
def test_latents_of_any_size_become_a_vector(shape: tuple[int, int, int], flat: int) -> None:
    trunk = LatentTrunk(shape, features=12, channels=8)
    linear = next(layer for layer in trunk.layers if isinstance(layer, torch.nn.Linear))
    assert linear.in_features == flat
    z = torch.randn(2, 3, *shape)
    assert trunk(z).shape == (2, 3, 12)
    torch.testing.assert_close(trunk(z)[1, 2], trunk(z[1, 2:3])[0])


def test_what_is_no_latent() -> None:
    with pytest.raises(DreamError, match=r"latents are \(c, h, w\), not \(512,\)"):
        LatentTrunk((512,))


def test_any_number_of_batch_dimensions_none_included() -> None:
    trunk, z = LatentTrunk((16, 8, 8), features=5), torch.randn(2, 3, 16, 8, 8)
    together = trunk(z)
    assert together.shape == (2, 3, 5)
    torch.testing.assert_close(trunk(z[0, 1]), together[0, 1])
