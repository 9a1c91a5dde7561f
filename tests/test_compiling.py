"""``run.compile``: what is compiled computes what it did before; a machine without a compiler trains without."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jaxtyping
import pytest
import torch
from torch._inductor import config as inductor
from torch._inductor.utils import fresh_cache

from jedi_sdk.actor_critic import ActorCritic
from jedi_sdk.benchmark.speed.ours import noise
from jedi_sdk.compiling import compile_networks, compiler_fault
from jedi_sdk.config import Config
from jedi_sdk.learner import PARTS, Learner
from jedi_sdk.precision import Precision
from jedi_sdk.world_model import WorldModel

CPU = torch.device("cpu")


def build(config: Config) -> Learner:
    torch.manual_seed(0)
    world_model = WorldModel(config, 3)
    actor_critic = ActorCritic(world_model.latent_shape, 3, config.actor_critic)
    return Learner(config, world_model, actor_critic, Precision(CPU, torch.float32))


@pytest.fixture
def unchecked() -> Iterator[None]:
    """What checks shapes in tests is Python that torch cannot trace."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def averaged(tiny: Config) -> Config:
    return replace(tiny, optim=replace(tiny.optim, weights_ema=0.9))


def is_compiled(network: torch.nn.Module) -> bool:
    return network._compiled_call_impl is not None


def test_what_dreams_and_what_is_moved_is_compiled_and_no_copy_of_it(tiny: Config) -> None:
    learner = build(averaged(tiny))
    compile_networks(learner)
    moved = learner.taught["denoiser"].denoiser, learner.taught["heads"].heads
    dreaming = learner.world_model.denoiser, learner.world_model.heads
    assert all(is_compiled(network) for network in (learner.world_model.encoder, moved[1], dreaming[1]))
    assert all(is_compiled(denoiser.unet) for denoiser in (moved[0], dreaming[0]))
    assert not is_compiled(copy.deepcopy(learner.world_model.encoder))
    assert learner.world_model.state_dict().keys() == build(averaged(tiny)).world_model.state_dict().keys()


@pytest.mark.usefixtures("unchecked")
def test_a_compiled_encoder_sees_the_same(tiny: Config) -> None:
    plain, compiled = build(tiny), build(tiny)
    compile_networks(compiled)
    torch._dynamo.utils.counters.clear()
    frames = torch.randint(256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(compiled.world_model.encode(frames), plain.world_model.encode(frames))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


@pytest.mark.usefixtures("unchecked")
def test_what_the_compiler_fails_on_runs_as_it_is(tiny: Config) -> None:
    plain, compiled = build(tiny), build(tiny)
    compile_networks(compiled)
    frames = torch.randint(256, (3, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad(), fresh_cache(), inductor.patch({"cpp.cxx": ("/no/such/compiler",)}):
        torch.testing.assert_close(compiled.world_model.encode(frames), plain.world_model.encode(frames))


def test_a_benchmark_times_what_is_compiled_or_fails(tiny: Config) -> None:
    settings = torch._dynamo.config
    with settings.patch(suppress_errors=False, recompile_limit=8):
        compile_networks(build(tiny), strict=True)
        assert (settings.suppress_errors, settings.recompile_limit) == (False, 8)
        compile_networks(build(tiny))
        assert (settings.suppress_errors, settings.recompile_limit) == (True, 16)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_compiled_updates_and_dreams_are_those_of_plain_float32(tiny: Config) -> None:
    """Losses, gradients and the averages behind them, then a dream of 15 steps."""
    config = replace(averaged(tiny), actor_critic=replace(tiny.actor_critic, horizon=15))
    plain, compiled = build(config), build(config)
    compile_networks(compiled)
    replay = noise(200, config.context, 3)
    for part in [*PARTS, *PARTS]:
        wanted, found = plain.update(part, 0, replay), compiled.update(part, 0, replay)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        for name in plain.modules:
            gradients = [[p.grad for p in one.modules[name].parameters()] for one in (compiled, plain)]
            torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)
    segment = plain._sample(replay, config.context)
    wanted, found = plain.dream(segment), compiled.dream(segment)
    assert wanted.z.shape[1] == 16
    torch.testing.assert_close(found.z, wanted.z, rtol=1e-3, atol=1e-3)
    assert torch.equal(found.act, wanted.act)


def test_a_compiler_that_works_has_no_fault() -> None:
    assert compiler_fault(CPU) is None


def test_without_a_compiler_a_run_says_so_and_goes_on(tmp_path: Path) -> None:
    run = ["train", "catch", "--preset", "tiny", "--env-steps", "32", "--run-dir", str(tmp_path / "run")]
    command = [sys.executable, "-m", "jedi_cli", *run, "--set", "run.compile=true"]
    env = {**os.environ, "CXX": "/no/such/compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "not compiled (" in done.stdout + done.stderr
    assert "/no/such/compiler" in done.stdout + done.stderr
    assert list((tmp_path / "run" / "checkpoints").iterdir())
