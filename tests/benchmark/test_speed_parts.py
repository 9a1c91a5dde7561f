"""The parts of the speed benchmark against known answers: counting, timing, child processes, checkouts."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo import config
from torch._dynamo.exc import FailOnRecompileLimitHit

from jedi_sdk.benchmark.speed.checkout import Checkout
from jedi_sdk.benchmark.speed.child import Child, SpeedError
from jedi_sdk.benchmark.speed.clock import CLEAR, time_calls
from jedi_sdk.benchmark.speed.count import count
from jedi_sdk.benchmark.speed.ours import noise
from jedi_sdk.benchmark.speed.sides import our_side
from jedi_sdk.benchmark.speed.units import amount, percent, spread
from jedi_sdk.benchmark.speed.worker import compile_every_shape
from jedi_sdk.config import ConfigError
from jedi_sdk.layers import Conv2d, Linear
from jedi_sdk.precision import Precision
from jedi_sdk.process_env import process_env

CPU = torch.device("cpu")

# -- counting and timing ------------------------------------------------------------------------------------------


def test_operations_of_a_known_network() -> None:
    network = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.Flatten(), nn.Linear(16 * 10 * 10, 5))
    x = torch.randn(4, 8, 10, 10)
    forward = 4 * (2 * 16 * 8 * 9 * 100 + 2 * 1600 * 5)
    assert count(lambda: network(x)).flops == forward
    into_weights_and_maps = 4 * (2 * 16 * 8 * 9 * 100 + 2 * 2 * 1600 * 5)  # frames want no gradient
    assert count(lambda: network(x).sum().backward()).flops == forward + into_weights_and_maps


def test_weights_that_were_made_ready_do_as_many_operations() -> None:
    network = nn.Sequential(Conv2d(8, 16, 3, padding=1), nn.Flatten(), Linear(16 * 10 * 10, 5))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        flops = count(lambda: network(torch.randn(4, 8, 10, 10))).flops
    assert flops == 4 * (2 * 16 * 8 * 9 * 100 + 2 * 1600 * 5)


def test_bytes_of_known_operations() -> None:
    x, y = torch.ones(1_000), torch.ones(1_000)
    assert count(lambda: x + y).bytes == 3 * 4_000
    assert count(lambda: x.view(10, 100).transpose(0, 1)[3]).bytes == 0
    assert count(lambda: x.mul_(y)).bytes == 2 * 4_000  # what is written in place is one tensor


def test_a_clock_counts_calls() -> None:
    assert len(time_calls(lambda: time.sleep(0.01), CPU, 0.0)) == 1
    taken = time_calls(lambda: time.sleep(0.01), CPU, 0.035)
    assert 2 <= len(taken) <= 4
    assert all(0.01 <= seconds < 1 for seconds in taken)


def test_peak_memory_is_this_process_s_own() -> None:
    """It sees what was freed again, and nothing of a larger parent."""
    held = bytearray(b"x") * 1_000_000_000
    code = """
        import torch
        from jedi_sdk.benchmark.speed.clock import peak_memory
        before = peak_memory(torch.device("cpu"))
        bytearray(b"x") * 200_000_000
        print(before, peak_memory(torch.device("cpu")))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < 800_000_000 < len(held)
    assert 180_000_000 < after - before < 220_000_000


@pytest.mark.skipif(not CLEAR.exists(), reason="only Linux can forget a peak")
def test_a_peak_can_be_forgotten() -> None:
    """In a process that is told, as all are, to keep what it has freed."""
    code = """
        import torch
        from jedi_sdk.benchmark.speed.clock import forget_peak_memory, give_memory_back, peak_memory
        cpu = torch.device("cpu")
        def use(megabytes):
            torch.ones(megabytes, 250_000).sum()
            return peak_memory(cpu)
        high = use(400)
        give_memory_back()
        forget_peak_memory(cpu)
        print(high, peak_memory(cpu), use(100))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=process_env(), capture_output=True, text=True, check=True
    )
    high, forgotten, low = map(int, done.stdout.split())
    assert 380_000_000 < high - forgotten < 420_000_000
    assert 80_000_000 < low - forgotten < 120_000_000


@pytest.mark.parametrize(
    ("x", "unit", "shown"),
    [
        (0.0123, "s", "12.3 ms"),
        (7_200.0, "s", "7,200 s"),
        (4.4e9, "B", "4.4 GB"),
        (0.25, "h", "0.25 h"),
        (5.96, "", "5.96"),
    ],
)
def test_units(x: float, unit: str, shown: str) -> None:
    assert amount(x, unit) == shown


def test_a_spread_keeps_to_one_unit() -> None:
    assert spread(0.95, 0.9, 1.2, "s") == "950 ms (900 to 1,200)"
    assert (percent(0.123), percent(0.0123)) == ("12%", "1.2%")


def test_noise_can_be_sampled_everywhere() -> None:
    segment = noise(40, context=4, num_actions=3).sample(8, 19, np.random.default_rng(0))
    assert segment.mask[:, 4:5].all()
    assert not segment.end.any()
    assert segment.obs.float().std() > 60  # uniform bytes: 73.9


def test_every_shape_is_compiled_or_it_fails() -> None:
    """By itself torch stops compiling at the ninth."""
    compiled: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, example: list[torch.Tensor]) -> Callable[..., object]:
        compiled.append(graph)
        return graph.forward

    double = torch.compile(lambda x: 2 * x, backend=backend, dynamic=False)
    limits = {"recompile_limit": 8, "accumulated_recompile_limit": 256, "fail_on_recompile_limit_hit": False}
    with config.patch(**limits, suppress_errors=False):  # a run that compiles, in this process, suppresses them
        compile_every_shape()
        for n in range(2, 22):
            double(torch.ones(n))
        assert len(compiled) == 20
        config.recompile_limit = 20
        with pytest.raises(FailOnRecompileLimitHit):
            double(torch.ones(22))


# -- processes ----------------------------------------------------------------------------------------------------


def test_a_child_that_fails_says_where_and_why() -> None:
    spec = our_side("catch", "nothing", Precision(CPU, torch.float32), False)
    with Child("ours", spec) as child, pytest.raises(SpeedError) as caught:
        child.ask("warm_up", part="sample", n=1)
    said = str(caught.value)
    assert said.startswith("ours: its process ended with exit code 1 when it was asked for `warm_up part=sample n=1`")
    assert "preset" in said.splitlines()[-1]
    assert len(said.splitlines()) <= 9


def test_a_child_that_is_killed_is_missed() -> None:
    with Child("pixel", {}) as child:
        child.process.kill()
        with pytest.raises(SpeedError) as caught:
            child.ask("time", part="sample", n=1, seconds=0.0)
    assert "pixel: its process was killed: most likely memory ran out" in str(caught.value)


# -- a checkout of somebody else's --------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """One with as little as can be asked for."""
    files = {
        "src/models/diffusion/__init__.py": "",
        "src/their_shapes.py": """
            from dataclasses import dataclass
            import wandb
            @dataclass
            class Box:
                size: int
                inside: object = None
                weight: float = 0.0
        """,
        "src/their_lonely.py": "import a_package_that_nobody_has",
        "config/trainer.yaml": """
            box:
              _target_: their_shapes.Box
              size: ${env.train.size}
              inside: {_target_: their_shapes.Box, size: 2e-3}
              weight: ${eval:'float("inf")'}
        """,
        "config/agent/default.yaml": "{}",
        "config/env/atari.yaml": "train: {size: 64}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield Checkout(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_its_configuration_becomes_its_objects(checkout: Checkout) -> None:
    box = checkout.make("box")
    assert type(box).__name__ == "Box"
    assert (box.size, box.inside.size, box.weight) == (64, 0.002, math.inf)
    assert checkout.make("box.inside").size == 0.002
    assert checkout.make("box", size=3).size == 3


def test_what_it_needs_and_is_not_here_is_named(checkout: Checkout) -> None:
    with pytest.raises(ConfigError, match="pip install a_package_that_nobody_has"):
        checkout.get("their_lonely.anything")


@pytest.mark.slow
def test_diamond_itself_is_what_our_baseline_is_held_against() -> None:
    """Needs a checkout of github.com/eloialonso/diamond: JEDI_DIAMOND=path."""
    path = os.environ.get("JEDI_DIAMOND") or pytest.skip("JEDI_DIAMOND names no checkout")
    told = {"device": "cpu", "dtype": "float32", "compiled": False}
    with (
        Child("diamond", told | {"kind": "diamond", "path": path, "num_actions": 4}) as diamond,
        Child("pixel", our_side("breakout", "atari100k", Precision(CPU, torch.float32), False, "space=pixel")) as pixel,
    ):
        assert diamond.ask("parameters") == 13_536_456
        assert pixel.ask("parameters") == pytest.approx(13_536_456, rel=0.01)
        # torch counts nothing in their LSTM, which runs as one piece; sampling has too little of it to matter
        for part, n, rel in (("sample", 1, 0.01), ("denoiser", 2, 0.01), ("heads", 2, 0.03)):
            theirs, ours = (child.ask("warm_up", part=part, n=n)["flops"] for child in (diamond, pixel))
            assert ours == pytest.approx(theirs, rel=rel), part
