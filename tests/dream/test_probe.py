"""The pixel probe: it learns to paint, and the agent learns nothing from it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from jedi_sdk.collect import Collector
from jedi_sdk.config import Config
from jedi_sdk.dream.probe import PixelProbe, ProbeTrainer
from jedi_sdk.envs import make_envs
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.world_model import WorldModel

CPU = Precision(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def replay() -> Replay:
    replay, generator = Replay(None, 4, 600), torch.Generator().manual_seed(0)

    def policy(x, state, first):
        return torch.randint(3, (len(x),), generator=generator), None

    Collector(make_envs("catch", 4), replay, 0, "cpu").collect(policy, 400)
    return replay


def test_it_learns_to_paint_the_ball(tiny: Config, replay: Replay) -> None:
    """Ball and paddle are what differs between frames: painting the mean frame alone leaves all of that."""
    world_model = WorldModel(tiny, 3)
    probe = PixelProbe(world_model.latent_shape)
    trainer = ProbeTrainer(probe, world_model, CPU, seed=0)
    for _ in range(150):
        trainer.update(replay)
    obs = torch.from_numpy(replay.columns["obs"][:50, 0])
    real = obs.permute(0, 3, 1, 2) / 127.5 - 1
    painted = probe(world_model.encode(obs))
    assert painted.shape == real.shape
    mean = real.mean(0)
    assert (painted - real).square().mean() < 0.3 * (mean - real).square().mean()


def test_it_never_teaches_the_agent(tiny: Config, replay: Replay, wake: Callable) -> None:
    world_model = WorldModel(tiny, 3)
    wake(world_model.denoiser)
    before = {name: value.clone() for name, value in world_model.state_dict().items()}
    probe = PixelProbe(world_model.latent_shape)
    ProbeTrainer(probe, world_model, CPU, seed=0).update(replay)
    assert all(parameter.grad is None for parameter in world_model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in world_model.state_dict().items())
    obs = torch.from_numpy(replay.columns["obs"][:4, 0])
    z = world_model.encode(obs).detach().requires_grad_()
    loss = probe.loss(z, obs)
    loss.backward()
    assert z.grad is None  # not even asked through the loss itself
    assert all(parameter.grad is not None for parameter in probe.parameters())


def test_small_things_count(tiny: Config) -> None:
    """A pixel that is not the mean frame's weighs 21 times as much."""
    probe = PixelProbe(WorldModel(tiny, 3).latent_shape)
    torch.nn.init.zeros_(probe.decoder.layers[-2].weight)
    torch.nn.init.zeros_(probe.decoder.layers[-2].bias)
    probe.frame_mean.mean.zero_()
    obs = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    obs[0, 5, 7] = 255  # off by 2, in the range from -1 to 1
    pixels = 64 * 64
    assert float(probe.loss(torch.zeros(1, 4, 8, 8), obs).detach()) == pytest.approx(
        21 * 4 / (pixels - 1 + 21), rel=1e-5
    )


def test_put_away_and_taken_out_it_goes_on_the_same(tiny: Config, replay: Replay) -> None:
    torch.manual_seed(1)
    world_model = WorldModel(tiny, 3)
    probe = PixelProbe(world_model.latent_shape)
    trainer = ProbeTrainer(probe, world_model, CPU, seed=0)
    trainer.update(replay)
    twin = PixelProbe(world_model.latent_shape)
    twin.load_state_dict(probe.state_dict())
    other = ProbeTrainer(twin, world_model, CPU, seed=5)
    other.load_state_dict(copy.deepcopy(trainer.state_dict()))  # as a file would
    assert [float(trainer.update(replay)) for _ in range(3)] == [float(other.update(replay)) for _ in range(3)]
