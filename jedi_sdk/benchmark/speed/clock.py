"""Seconds a call takes, and the peak memory of the process that made it."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from jedi_sdk.precision import DeviceError

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
THE_PEAK = "5"  # Linux's number for it in ``CLEAR``
TIMED = ("cpu", "cuda")


def refuse_other_devices(device: torch.device) -> None:
    """Raises ``DeviceError`` for a device that goes on working after a call, and that nothing here waits for."""
    if device.type not in TIMED:
        raise DeviceError(
            f"{device.type} cannot be timed: only on {' and '.join(TIMED)} does this know when the work is done; "
            "write --device cpu"
        )


def wait_for(device: torch.device) -> None:
    refuse_other_devices(device)
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


def give_memory_back() -> None:
    """What was freed goes back to the system, where glibc keeps it."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_peak_memory(device: torch.device) -> None:
    """``peak_memory`` is that from here on; on a CPU only where Linux allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        with contextlib.suppress(OSError):
            CLEAR.write_text(THE_PEAK)
