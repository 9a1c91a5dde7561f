"""The baseline ``space=pixel``: as big as DIAMOND, frames as latents, and what is learned from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from jedi_sdk.actor_critic import ActorCritic
from jedi_sdk.collect import Collector
from jedi_sdk.config import Config, ConfigError, DenoiserConfig
from jedi_sdk.dream import Starts
from jedi_sdk.envs import make_envs
from jedi_sdk.fidelity import open_loop
from jedi_sdk.learner import Learner
from jedi_sdk.load import build_config
from jedi_sdk.nn import ResBlock
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.sizes import parameter_counts
from jedi_sdk.world_model import Encoder, WorldModel
from jedi_sdk.world_model.pixel import quantise
from jedi_sdk.world_model.unet import UNet

from .table import segment

DIAMOND = {"encoder": 0, "denoiser": 4_405_955, "heads": 5_900_864, "actor_critic": 3_229_637}  # 4 actions
DIAMOND_FLOPS = {  # a multiplication and an addition are two
    "denoiser call": 6.09e9,  # of one frame
    "step": 599e9 / 32,  # of the world model: three calls and the heads; measured for 32 frames
    "denoiser update": 1_165e9 / 32,  # two passes, forward and backward; measured for 32 segments of 6 frames
    "heads update": 783e9 / 32,  # measured for 32 segments of 4 + 15 frames
    "actor-critic update": 9_228e9 / 32,  # 15 steps dreamed and learned from; measured for 32 dreams
}
ACTIONS = 4
EVERY_VALUE = torch.arange(256, dtype=torch.uint8)


@pytest.fixture
def config() -> Config:
    return build_config("catch", preset="tiny", overrides=["space=pixel"])


def at_diamonds_size() -> Config:
    return build_config("breakout", preset="atari100k", overrides=["space=pixel"])


def frames(*shape: int) -> torch.Tensor:
    return torch.randint(256, (*shape, 64, 64, 3), dtype=torch.uint8)


# -- sizes ----------------------------------------------------------------------------------------------------------


def test_it_has_as_many_parameters_as_diamond() -> None:
    counts = parameter_counts(at_diamonds_size(), ACTIONS)
    assert counts == pytest.approx(DIAMOND, rel=0.01)
    assert counts["denoiser"] == DIAMOND["denoiser"]


@pytest.mark.parametrize("work", DIAMOND_FLOPS)
def test_each_kind_of_work_costs_as_much_as_diamonds(work: str) -> None:
    config, precision = at_diamonds_size(), Precision(torch.device("cpu"), torch.float32)
    world_model = WorldModel(config, ACTIONS)
    actor_critic = ActorCritic(world_model.latent_shape, ACTIONS, config.actor_critic)
    learner = Learner(config, world_model, actor_critic, precision)
    seg, act, blank = segment(1, 19, obs=frames(1, 19)), torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3, 64, 64)
    state = world_model.start(seg[:, :4])
    todo: dict[str, Callable[[], object]] = {
        "denoiser call": lambda: world_model.denoiser(blank, torch.ones(1), state.z, seg.act[:, :4]),
        "step": lambda: world_model.step(state, act, Rng(0)),
        "denoiser update": lambda: world_model.denoise_loss(seg[:, :6], Rng(0)).total.backward(),
        "heads update": lambda: world_model.heads_loss(seg, Rng(0)).total.backward(),
        "actor-critic update": lambda: actor_critic.loss(learner.dream(seg[:, :4])).total.backward(),
    }
    with FlopCounterMode(display=False) as counter:
        todo[work]()
    assert counter.get_total_flops() == pytest.approx(DIAMOND_FLOPS[work], rel=0.01)


def test_every_level_has_half_the_side_of_the_one_before(config: Config) -> None:
    sides: list[int] = []
    world_model = WorldModel(config, ACTIONS)
    for network in (world_model.denoiser.unet, world_model.heads):
        for block in network.modules():
            if isinstance(block, ResBlock):
                block.register_forward_hook(lambda module, given, out: sides.append(out.shape[-1]))
    z, act = torch.zeros(1, 4, 3, 64, 64), torch.zeros(1, 4, dtype=torch.int64)
    world_model.denoiser(z[:, 0], torch.ones(1), z, act)
    assert sides == [64, 32, 16, 8, *[8, 8], *[8, 8], *[16, 16], *[32, 32], *[64, 64]]  # down, middle, up
    sides.clear()
    world_model.heads(z[:, :2], act[:, :1])
    assert sides == [64, 32, 16, 8, *[8, 8]]


@pytest.mark.parametrize("depths", [(1,), (2,), (1, 1), (1, 2, 1)])
def test_a_u_net_of_any_levels_keeps_the_side_and_uses_every_block(depths: tuple[int, ...], wake) -> None:
    unet = wake(UNet(3, 2, DenoiserConfig(channels=8, cond_channels=4), depths))
    y = unet(torch.randn(2, 3, 16, 16), torch.randn(2, 4))
    assert y.shape == (2, 2, 16, 16)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in unet.parameters())


def test_the_policy_pools_a_frame_to_4x4(config: Config) -> None:
    actor_critic = ActorCritic((3, 64, 64), ACTIONS, config.actor_critic)
    assert actor_critic.lstm.input.in_features == config.actor_critic.channels * 4 * 4
    assert actor_critic(torch.zeros(2, 1, 3, 64, 64))[0].shape == (2, 1, ACTIONS)


# -- frames as latents ----------------------------------------------------------------------------------------------


def test_a_latent_is_the_frame_from_minus_1_to_1(config: Config) -> None:
    obs = frames(2, 5)
    z = WorldModel(config, ACTIONS).encode(obs)
    torch.testing.assert_close(z, obs.permute(0, 1, 4, 2, 3) / 127.5 - 1)


def test_what_a_frame_can_show_is_left_as_it_is_bit_for_bit(config: Config) -> None:
    obs = EVERY_VALUE[:, None, None, None].expand(-1, 64, 64, 3)
    world_model = WorldModel(config, ACTIONS)
    z = world_model.encode(obs)
    assert torch.equal(world_model.target.nearest(z), z)
    assert torch.equal(((z + 1) * 127.5).round().byte().permute(0, 2, 3, 1), obs)


def test_anything_else_becomes_the_nearest_of_256_values() -> None:
    values = EVERY_VALUE / 127.5 - 1
    between = torch.rand(4_000) * 3 - 1.5
    nearest = values[(between[:, None] - values).abs().argmin(1)]
    torch.testing.assert_close(quantise(between.view(4_000, 1, 1, 1)).flatten(), nearest)
    assert float(quantise(torch.tensor([[[9.0]]]))) == 1
    assert float(quantise(torch.tensor([[[-9.0]]]))) == -1


def test_starts_come_back_from_their_file_as_the_frames_they_were(config: Config) -> None:
    world_model = WorldModel(config, ACTIONS)
    z = world_model.encode(frames(3, 4))
    starts = Starts(z, torch.zeros(3, 3, dtype=torch.int64), torch.ones(3, 4, dtype=torch.bool))
    assert torch.equal(Starts.from_tensors(starts.tensors(), world_model, torch.device("cpu")).z, z)


def test_a_fresh_denoiser_dreams_what_the_sampler_makes_of_noise_rounded(config: Config) -> None:
    """D(y; σ) = c_skip·y, for σ = 5, 0.283 and then 0.002, each step an Euler step: DIAMOND's three."""
    world_model = WorldModel(config, ACTIONS)
    z, act = world_model.encode(frames(2, 4)), torch.zeros(2, 4, dtype=torch.int64)
    y = Rng(5).normal(2, 3, 64, 64)
    middle = ((5.0 ** (1 / 7) + 2e-3 ** (1 / 7)) / 2) ** 7
    assert middle == pytest.approx(0.283, abs=1e-3)
    for sigma, after in ((5.0, middle), (middle, 2e-3), (2e-3, 0.0)):
        c_skip = 0.25 / (0.25 + 0.09 + sigma**2)
        y = y + (after - sigma) * (1 - c_skip) * y / sigma
    z_next = world_model.imagine_next(z, act, Rng(5))
    torch.testing.assert_close(z_next, quantise(y), rtol=0, atol=1 / 127.5 + 1e-6)  # rounding may fall either way
    assert float((z_next - y).abs().max()) < 0.51 / 127.5
    assert torch.equal(quantise(z_next), z_next)


# -- learning -------------------------------------------------------------------------------------------------------


def trained(world_model: WorldModel) -> dict[str, list[bool]]:
    return {
        name: [p.grad is not None and bool(p.grad.any()) for p in module.parameters()]
        for name, module in world_model.named_children()
    }


def test_each_loss_trains_its_network_and_no_other(config: Config, wake: Callable[[nn.Module], nn.Module]) -> None:
    world_model = WorldModel(config, 3)
    wake(world_model.denoiser)
    wake(world_model.heads)
    seg = segment(2, obs=frames(2, 6))
    for name, loss in (("denoiser", world_model.denoise_loss), ("heads", world_model.heads_loss)):
        world_model.zero_grad()
        loss(seg, Rng(0)).total.backward()
        assert {part for part, which in trained(world_model).items() if any(which)} == {name}
        assert all(trained(world_model)[name])


def test_the_second_prediction_is_asked_for_from_the_first_rounded_to_a_frame(config: Config) -> None:
    world_model, seen = WorldModel(config, 3), []
    network = world_model.denoiser.network

    def watched(y: torch.Tensor, c_noise: torch.Tensor, z: torch.Tensor, act: torch.Tensor) -> torch.Tensor:
        seen.append(z)
        return network(y, c_noise, z, act)

    world_model.denoiser.network = watched  # type: ignore[method-assign]
    seg = segment(2, obs=frames(2, 6))
    world_model.denoise_loss(seg, Rng(0))
    z = world_model.encode(seg.obs)
    assert torch.equal(seen[0], z[:, :4])
    assert torch.equal(seen[1][:, :3], z[:, 1:4])
    fed_back = seen[1][:, 3]
    assert not torch.equal(fed_back, z[:, 4])
    assert torch.equal(quantise(fed_back), fed_back)


def test_a_frame_is_encoded_once_and_no_mean_frame_beside_it(config: Config) -> None:
    world_model, seen = WorldModel(config, 3), []
    world_model.encoder.register_forward_hook(lambda module, given, out: seen.append(len(out)))
    world_model.denoise_loss(segment(2, obs=frames(2, 6)), Rng(0))
    assert seen == [12]


def test_a_few_updates_on_catch_make_its_dream_truer_than_repeating_the_last_frame() -> None:
    """Whose ratio is 1; that of a fresh model is near 10."""
    config = build_config("catch", preset="tiny", overrides=["space=pixel", "optim.lr=3e-3"])
    replay = Replay(None, 4, 600)
    collector = Collector(make_envs("catch", 4), replay, 0, "cpu")
    collector.collect(lambda x, state, first: (torch.randint(3, (len(x),)), None), 400)
    world_model = WorldModel(config, 3)
    actor_critic = ActorCritic(world_model.latent_shape, 3, config.actor_critic)
    learner = Learner(config, world_model, actor_critic, Precision(torch.device("cpu"), torch.float32))
    seen = replay.sample(32, 5, np.random.default_rng(1))
    assert open_loop(world_model, seen, Rng(0)).ratio[0] > 5
    for i in range(60):
        learner.update("denoiser", i, replay)
    assert open_loop(world_model, seen, Rng(0)).ratio[0] < 1


def test_an_encoder_beside_it_is_refused(config: Config) -> None:
    with pytest.raises(ConfigError, match="space=pixel has no encoder, and Encoder was passed: leave encoder= out"):
        WorldModel(config, 3, encoder=Encoder(config.encoder))


def test_the_change_of_a_frame_can_be_diffused_too(config: Config) -> None:
    """A setting like any other: frames at both ends."""
    changed = replace(config, objective=replace(config.objective, predict="change", target_scale="tracked"))
    world_model = WorldModel(changed, 3)
    assert world_model.denoise_loss(segment(2, obs=frames(2, 6)), Rng(0)).total.isfinite()
    z_next = world_model.imagine_next(world_model.encode(frames(2, 4)), torch.zeros(2, 4, dtype=torch.int64), Rng(0))
    assert torch.equal(quantise(z_next), z_next)
