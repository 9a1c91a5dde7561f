"""How fast this machine can be at best, measured: one large matrix product, one large copy."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from jedi_sdk.benchmark.speed.clock import time_calls
from jedi_sdk.precision import Precision

SIDE = {"cpu": 2_048, "cuda": 16_384}  # of the square matrices
COPIED = {"cpu": 2**28, "cuda": 2**32}  # bytes
SECONDS = 1.0  # for each of the two


@dataclass(frozen=True)
class Machine:
    """``flops_per_second`` of matrix products in ``dtype``; ``bytes_per_second`` read and written by a copy."""

    device: str
    device_name: str
    cpu: str
    cores: int
    threads: int
    dtype: str
    torch: str
    python: str
    flops_per_second: float
    bytes_per_second: float


def measure_machine(precision: Precision) -> Machine:
    device = precision.device
    cpu = _cpu_name()
    return Machine(
        device=device.type,
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        cpu=cpu,
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        dtype=precision.name,
        torch=torch.__version__,
        python=platform.python_version(),
        flops_per_second=_matrix_product(precision),
        bytes_per_second=_copy(device),
    )


def _matrix_product(precision: Precision) -> float:
    n = SIDE.get(precision.device.type, SIDE["cpu"])
    a, b = (torch.randn(n, n, device=precision.device, dtype=precision.dtype) for _ in range(2))
    return 2 * n**3 / min(time_calls(lambda: a @ b, precision.device, SECONDS))


def _copy(device: torch.device) -> float:
    size = COPIED.get(device.type, COPIED["cpu"])
    source, target = (torch.ones(size, dtype=torch.uint8, device=device) for _ in range(2))
    return 2 * size / min(time_calls(lambda: target.copy_(source), device, SECONDS))


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
