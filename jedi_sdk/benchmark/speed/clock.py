"""Seconds a call takes, and the peak memory of the process that made it."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_calls(call: Callable[[], object], device: torch.device, seconds: float) -> list[float]:
    """One call after another until ``seconds`` have passed; at least one. Waits for the device on both sides."""
    taken: list[float] = []
    wait_for(device)
    while not taken or sum(taken) < seconds:
        start = time.perf_counter()
        call()
        wait_for(device)
        taken.append(time.perf_counter() - start)
    return taken


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that tensors took on a GPU, or the most that the process had resident on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if STATUS.exists():  # ru_maxrss would count the parent in: it survives the start of a new program
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
