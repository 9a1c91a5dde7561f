"""Scaling and profile: arithmetic by hand, a profile of known operations, and both commands with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk.benchmark.speed import Point, Scaling, UpdateProfile
from jedi_sdk.benchmark.speed.ceilings import Machine
from jedi_sdk.benchmark.speed.operators import KINDS, Profile, by_kind, kind_of, profile_calls

MACHINE = Machine("cpu", "abacus", "abacus", 2, 2, "float32", "2", "3", flops_per_second=100.0, bytes_per_second=10.0)


def scaling(*seconds: float) -> Scaling:
    """Of 1, 4, 16 … dreams."""
    points = [Point("sample", 4**i, took, 5, 1, 0.1) for i, took in enumerate(seconds)]
    return Scaling("catch", "tiny", "latent", MACHINE, points, {})


def test_flat_is_less_than_twice_a_single_one() -> None:
    found = scaling(1.0, 1.2, 1.9, 2.0)
    assert found.flat_until("sample") == 16
    assert found.to_dict()["flat_until"] == {"sample": 16}


def test_what_is_no_longer_flat_does_not_become_flat_again() -> None:
    assert scaling(1.0, 2.3, 1.9).flat_until("sample") == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten::native_group_norm_backward", "norm"),
        ("aten::addmm", "matrix product"),
        ("aten::bmm", "attention"),
        ("aten::_softmax_backward_data", "attention"),
        ("aten::_log_softmax", "other operations"),
        ("aten::_fused_adamw_", "optimiser and clipping"),
        ("aten::_foreach_norm", "optimiser and clipping"),
        ("aten::copy_", "copy"),
        ("aten::silu", "other operations"),
    ],
)
def test_kinds_of_operators(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_what_no_operator_took_is_python_s() -> None:
    kinds = by_kind({"aten::mm": 1.0, "aten::addmm": 0.5, "aten::silu": 0.25}, seconds=3.0)
    assert kinds["matrix product"] == 1.5
    assert kinds["other operations"] == 0.25
    assert kinds["Python and waiting"] == 1.25


def test_a_profile_of_known_operations() -> None:
    a = torch.randn(300, 300)
    found = profile_calls([lambda: a @ a, lambda: a @ a, lambda: a.add_(1)], torch.device("cpu"))
    products = next(operator for operator in found.top if operator.name == "aten::mm")
    assert products.calls == 2
    assert found.launches == 3  # aten::matmul calls aten::mm, which is no launch of its own
    assert found.kinds["matrix product"] >= products.seconds > 0
    assert sum(found.kinds.values()) == pytest.approx(found.seconds)


@pytest.mark.gpu
def test_a_kernel_is_counted_once() -> None:
    """Products keep the GPU busy all the time, so what they are said to take is at most what the clock says."""
    a = torch.randn(4_096, 4_096, device="cuda")
    found = profile_calls([lambda: a @ a] * 30, a.device)
    assert sum(operator.calls for operator in found.top if operator.name == "aten::mm") == 30
    assert 0.5 * found.seconds < found.kinds["matrix product"] <= found.seconds
    assert sum(found.kinds.values()) == pytest.approx(found.seconds)


def test_scaling_measures_what_it_has_time_for(tmp_path: Path) -> None:
    arguments = [
        "--game",
        "catch",
        "--preset",
        "tiny",
        "--device",
        "cpu",
        "--dreams",
        "4,1,1000000",
        "--batches",
        "4,2",
    ]
    files = ["--json", str(tmp_path / "scaling.json"), "--plot", str(tmp_path / "scaling.png")]
    said = CliRunner().invoke(app, ["bench", "scaling", *arguments, "--budget", "5", *files])
    assert said.exit_code == 0, said.output
    found = json.loads((tmp_path / "scaling.json").read_text())
    assert set(found) == {"schema", "flat_until", *Scaling.__dataclass_fields__}
    sizes = [(point["part"], point["n"]) for point in found["points"]]
    assert sizes == [(part, n) for part in ("sample",) for n in (1, 4)] + [
        (part, n) for part in ("denoiser", "heads", "actor_critic") for n in (2, 4)
    ]
    assert found["skipped"]["sample"] == [1_000_000]
    for point in found["points"]:
        assert set(point) == set(Point.__dataclass_fields__)
        assert point["seconds"] > 0
    assert found["points"][1]["flops"] == 4 * found["points"][0]["flops"]
    assert "skipped" in said.output
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_a_profile_of_an_update(tmp_path: Path) -> None:
    arguments = ["--game", "catch", "--preset", "tiny", "--device", "cpu", "--json", str(tmp_path / "profile.json")]
    said = CliRunner().invoke(app, ["bench", "profile", *arguments])
    assert said.exit_code == 0, said.output
    found = json.loads((tmp_path / "profile.json").read_text())
    assert set(found) == {"schema", *UpdateProfile.__dataclass_fields__}
    assert (found["schema"], found["space"], found["batch_size"]) == (1, "latent", 4)
    profile = found["profile"]
    assert set(profile) == set(Profile.__dataclass_fields__)
    assert set(KINDS) < set(profile["kinds"])
    assert sum(profile["kinds"].values()) == pytest.approx(profile["seconds"], rel=0.01)
    assert profile["kinds"]["convolution"] > 0
    assert profile["kinds"]["optimiser and clipping"] > 0
    assert "convolution" in said.output
