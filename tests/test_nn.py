"""The bricks against torch's own and against closed forms."""

import pytest
import torch
import torch.nn.functional as F

from jedi_sdk.config import DenoiserConfig
from jedi_sdk.nn import ActionEmbedding, AdaGroupNorm, FourierFeatures, MaskedLSTM, ResBlock, SelfAttention, group_norm
from jedi_sdk.world_model.denoiser import Denoiser


@pytest.fixture
def pair() -> tuple[MaskedLSTM, torch.nn.LSTM]:
    """Ours and torch's, with the same random weights."""
    ours, theirs = MaskedLSTM(5, 7), torch.nn.LSTM(5, 7, batch_first=True)
    torch.nn.init.normal_(ours.input.bias)
    theirs.load_state_dict(
        {
            "weight_ih_l0": ours.input.weight,
            "weight_hh_l0": ours.recurrent.weight,
            "bias_ih_l0": ours.input.bias,
            "bias_hh_l0": torch.zeros(28),
        }
    )
    return ours, theirs


def assert_close(*pairs: tuple[torch.Tensor, torch.Tensor]) -> None:
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_the_lstm_is_torchs(pair) -> None:
    ours, theirs = pair
    x, h, c = torch.randn(3, 6, 5), torch.randn(3, 7), torch.randn(3, 7)
    for state, torch_state in ((None, None), ((h, c), (h[None], c[None]))):
        y, (h_end, c_end) = ours(x, state)
        y_torch, (h_torch, c_torch) = theirs(x, torch_state)
        assert_close((y, y_torch), (h_end, h_torch[0]), (c_end, c_torch[0]))


def test_a_sequence_may_be_split_anywhere(pair) -> None:
    x = torch.randn(3, 6, 5)
    whole, end = pair[0](x)
    head, state = pair[0](x[:, :2])
    tail, end_of_tail = pair[0](x[:, 2:], state)
    assert_close((whole, torch.cat([head, tail], 1)), (end[0], end_of_tail[0]), (end[1], end_of_tail[1]))


def test_behind_a_masked_step_the_memory_is_empty_and_only_there(pair) -> None:
    ours, theirs = pair
    x = torch.randn(2, 6, 5)
    mask = torch.tensor([[True, False, True], [False, False, True]])  # of the first 3 of 6 steps
    y, (h, c) = ours(x, mask=mask)
    for row in range(2):  # both are restarted behind step 1; the second had also been behind step 0
        y_torch, (h_torch, c_torch) = theirs(x[row : row + 1, 2:])
        assert_close((y[row, 2:], y_torch[0]), (h[row], h_torch[0, 0]), (c[row], c_torch[0, 0]))
    assert_close((y[0, :2], theirs(x[:1, :2])[0][0]))


def test_a_mask_on_the_last_step_empties_the_state_but_not_the_output(pair) -> None:
    x = torch.randn(2, 3, 5)
    y, (h, c) = pair[0](x, mask=torch.tensor([[True, True, False], [True, True, True]]))
    assert not h[0].any()
    assert not c[0].any()
    assert_close((h[1], y[1, -1]), (y, pair[1](x)[0]))


def test_attention_is_softmax_of_the_scaled_products() -> None:
    layer = SelfAttention(16)
    torch.nn.init.normal_(layer.out.weight)
    x = torch.randn(2, 16, 3, 4)
    with torch.no_grad():
        q, k, v = layer.qkv(layer.norm(x)).flatten(2).chunk(3, dim=1)  # (n 16 12) each, two heads of 8 channels
        heads = []
        for channels in (slice(0, 8), slice(8, 16)):
            products = q[:, channels].transpose(1, 2) @ k[:, channels] / 8**0.5
            heads.append(v[:, channels] @ products.softmax(-1).transpose(1, 2))
        expected = x + layer.out(torch.cat(heads, 1).view(2, 16, 3, 4))
        assert_close((layer(x), expected))


def test_adaptive_group_norm_scales_and_shifts_by_its_condition() -> None:
    layer, x, cond = AdaGroupNorm(4, 3), torch.randn(2, 4, 5, 5), torch.randn(2, 3)
    scale, shift = layer.scale_shift(cond).chunk(2, dim=1)
    expected = F.group_norm(x, 1) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    assert_close((layer(x, cond), expected))


def test_a_fresh_residual_block_is_the_identity_and_a_woken_one_hears_its_condition(wake) -> None:
    block, x, cond = ResBlock(8, 8, 3, attention=True), torch.randn(2, 8, 4, 4), torch.randn(2, 3)
    assert torch.equal(block(x, cond), x)
    wake(block)
    assert not torch.allclose(block(x, cond), block(x, -cond))


@pytest.mark.parametrize(("channels", "groups"), [(8, 1), (32, 1), (64, 2), (160, 5)])
def test_groups_of_32_channels(channels: int, groups: int) -> None:
    assert group_norm(channels).num_groups == groups


def test_fourier_features_are_points_on_circles_and_are_not_trained() -> None:
    features = FourierFeatures(16)
    cos, sin = features(torch.tensor([0.0, 0.3, -1.2])).chunk(2, dim=-1)
    assert_close((cos**2 + sin**2, torch.ones(3, 8)), (cos[0], torch.ones(8)))
    angle = 2 * torch.pi * 0.3 * features.frequencies
    assert_close((cos[1], angle.cos()), (sin[1], angle.sin()))
    assert not list(features.parameters())


def test_each_action_of_a_sequence_has_its_own_share_of_the_embedding() -> None:
    embedding = ActionEmbedding(num_actions=3, steps=4, channels=16)
    y = embedding(torch.tensor([[0, 1, 2, 1]]))
    assert torch.equal(y[0], embedding.embed.weight[[0, 1, 2, 1]].flatten())


def test_what_does_not_divide_among_the_actions_stays_empty() -> None:
    embedding = ActionEmbedding(num_actions=3, steps=5, channels=16)
    y = embedding(torch.tensor([[0, 1, 2, 1, 2]]))
    assert torch.equal(y[0, :15], embedding.embed.weight[[0, 1, 2, 1, 2]].flatten())
    assert y[0, 15:].tolist() == [0]


@pytest.mark.parametrize(("channels", "heads"), [(4, 1), (16, 2), (50, 5), (60, 6), (160, 20)])
def test_attention_takes_any_number_of_channels(channels: int, heads: int) -> None:
    layer = SelfAttention(channels)
    assert layer.heads == heads
    assert layer(torch.randn(2, channels, 3, 4)).shape == (2, channels, 3, 4)


@pytest.mark.parametrize("context", [3, 5])
@pytest.mark.parametrize("cond_channels", [16, 17])
def test_a_denoiser_of_odd_sizes_works(tiny, context: int, cond_channels: int) -> None:
    sizes = DenoiserConfig(channels=20, cond_channels=cond_channels)
    denoiser = Denoiser((4, 8, 8), 3, context, sizes, tiny.objective)
    z, act = torch.randn(2, context, 4, 8, 8), torch.zeros(2, context, dtype=torch.int64)
    assert denoiser(torch.randn(2, 4, 8, 8), torch.ones(2), z, act).shape == (2, 4, 8, 8)
