"""The decoder: where it paints, what its loss is, and whom its loss teaches."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from jedi_sdk.config import Config
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.decoder import Decoder

from .table import SHAPE, B, T, Table, build, plain, segment


def last(decoder: Decoder) -> torch.nn.Conv2d:
    """The convolution that paints."""
    return [module for module in decoder.modules() if isinstance(module, torch.nn.Conv2d)][-1]


def pixels(obs: torch.Tensor) -> torch.Tensor:
    return obs.flatten(0, -4).permute(0, 3, 1, 2) / 127.5 - 1


def test_latents_become_frames_each_on_its_own() -> None:
    decoder, z = Decoder(SHAPE), torch.randn(5, *SHAPE)
    frames = decoder(z)
    assert frames.shape == (5, 3, 64, 64)
    torch.testing.assert_close(decoder(z[2:3]), frames[2:3], rtol=1e-4, atol=1e-5)


def test_the_last_convolution_paints_patches_of_4_by_4() -> None:
    """With no weights its bias is the patch: colour by colour, row by row, everywhere the same."""
    decoder = Decoder(SHAPE)
    torch.nn.init.zeros_(last(decoder).weight)
    last(decoder).bias.data.copy_(torch.arange(48.0))
    frames = decoder(torch.randn(1, *SHAPE))
    assert torch.equal(frames[0], torch.arange(48.0).view(3, 4, 4).repeat(1, 16, 16))


def test_it_learns_to_paint_where_and_what_the_latent_says() -> None:
    """A latent's first three channels are the colours of its 8x8 pixels."""
    z = torch.randn(16, *SHAPE).clamp(-1, 1)
    frames = z[:, :3].repeat_interleave(8, 2).repeat_interleave(8, 3)
    decoder = Decoder(SHAPE, channels=16)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    losses = []
    for _ in range(100):
        loss = F.mse_loss(decoder(z), frames)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.4  # the colours' variance is 0.52
    assert losses[-1] < 0.1


def real_frames() -> torch.Tensor:
    """Padding, an episode's end and a whole one."""
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, :2], mask[1, 5:] = False, False
    return mask


def colourful(seed: int = 0) -> Segment:
    """Frames of noise, but for the two pixels that carry their number; none of them alike."""
    plain_segment, generator = segment(mask=real_frames()), torch.Generator().manual_seed(seed)
    obs = torch.randint(256, plain_segment.obs.shape, generator=generator, dtype=torch.uint8)
    obs[:, :, 0, 0, :2] = plain_segment.obs[:, :, 0, 0, :2]
    return segment(obs=obs, mask=real_frames())


@pytest.mark.parametrize("decoder", ["joint", "alone"])
def test_its_loss_is_the_mean_squared_error_of_the_real_frames(tiny: Config, decoder: str) -> None:
    """A decoder of nothing but a bias of 0.2 paints grey; the rest of the loss is as without a decoder."""

    def losses(**values: Any) -> Any:
        world_model = build(plain(tiny, **values), table, constant=0.0)
        if world_model.decoder is not None:
            torch.nn.init.zeros_(last(world_model.decoder).weight)
            torch.nn.init.constant_(last(world_model.decoder).bias, 0.2)
        return world_model.denoise_loss(seg, Rng(0))

    table, seg = Table(), colourful()
    painted, without = losses(decoder=decoder), losses()
    term = painted.terms["encoder/reconstruction"]
    assert torch.equal(painted.total, without.total + term)
    assert painted.terms.keys() - without.terms.keys() == {"encoder/reconstruction"}
    real = seg.obs[real_frames()].float() / 127.5 - 1
    assert float(term) == pytest.approx(float((0.2 - real).square().mean()), rel=1e-5)


def test_frames_of_no_episode_do_not_matter_to_it(tiny: Config) -> None:
    world_model = build(plain(tiny, decoder="joint"))
    one, other = colourful(), colourful(seed=1)
    mixed = segment(obs=torch.where(real_frames()[..., None, None, None], one.obs, other.obs), mask=real_frames())
    told = [world_model.denoise_loss(seg, Rng(0)).terms["encoder/reconstruction"] for seg in (one, mixed, other)]
    assert torch.equal(told[0], told[1])
    assert not torch.equal(told[0], told[2])


def gradients(loss: torch.Tensor, world_model: WorldModel) -> torch.Tensor:
    world_model.zero_grad()
    loss.backward()
    return world_model.encoder.latents.grad.clone()


def test_jointly_its_gradient_adds_to_the_denoisers_and_reaches_every_real_frame(tiny: Config, wake) -> None:
    """Both of them computed apart: the denoising loss without a decoder, the decoder's error by hand."""
    table, seg = Table(), colourful()
    torch.manual_seed(1)
    world_model = build(plain(tiny, switch="always", decoder="joint"), table, wake=wake)
    apart = build(plain(tiny, switch="always"), table)
    apart.denoiser.load_state_dict(world_model.denoiser.state_dict())
    together = gradients(world_model.denoise_loss(seg, Rng(0)).total, world_model)
    denoising = gradients(apart.denoise_loss(seg, Rng(0)).total, world_model)
    real = seg.obs[real_frames()]
    painting = gradients(F.mse_loss(world_model.decoder(world_model.encode(real)), pixels(real)), world_model)
    torch.testing.assert_close(together, denoising + painting, rtol=1e-4, atol=1e-7)
    assert torch.equal(painting.flatten(1).any(1).view(B, T), real_frames())  # targets are among them
    assert denoising.flatten(1).any(1).view(B, T)[2].tolist() == [True] * 4 + [False] * 2


def test_alone_nothing_but_its_own_loss_teaches_the_encoder(tiny: Config, wake) -> None:
    world_model, seg = build(plain(tiny, decoder="alone"), wake=wake), colourful()
    taught = gradients(world_model.denoise_loss(seg, Rng(0)).total, world_model)
    real = seg.obs[real_frames()]
    painting = gradients(F.mse_loss(world_model.decoder(world_model.encode(real)), pixels(real)), world_model)
    torch.testing.assert_close(taught, painting, rtol=1e-5, atol=1e-9)
    world_model.zero_grad()
    world_model.heads_loss(seg, Rng(0)).total.backward()
    assert world_model.encoder.latents.grad is None
    assert all(p.grad is not None and p.grad.any() for p in world_model.heads.parameters())


def test_dreams_know_no_decoder(tiny: Config, wake) -> None:
    """It looks in: the dream is the same with another one, or none."""
    table, seg = Table(), segment()
    world_model = build(plain(tiny, decoder="joint"), table, wake=wake)
    other = build(plain(tiny), table)
    other.load_state_dict({k: v for k, v in world_model.state_dict().items() if not k.startswith("decoder.")})
    z = world_model.encode(seg.obs)[:, :4]
    one, none = (model.dream_along(z, seg.act, Rng(0)) for model in (world_model, other))
    assert torch.equal(one, none)
