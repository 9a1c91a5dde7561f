"""The one place that chooses dtype and memory format for a device, by measurement.

Convolutions are always channels_last: frames arrive as H W C, and it won or tied in every case tried. bfloat16
against float32 is measured once in a process: it wins by far on a CPU with AMX or AVX512-BF16 and loses on one
without.
"""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

Module = TypeVar("Module", bound=nn.Module)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MUCH_FASTER = 2.0  # times: for less, an agent goes on computing as it did when its card was written


@dataclass(frozen=True)
class Precision:
    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Weights stay float32; under this, matrix products and convolutions run in ``dtype``."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()  # one that is switched off costs a dream 50 µs a step
        return torch.autocast(self.device.type, dtype=self.dtype)

    def place(self, module: Module) -> Module:
        return module.to(self.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def name(self) -> str:
        return str(self.dtype).removeprefix("torch.")


class DeviceError(ValueError):
    """A device that is not here, or no device or dtype at all: says what to write."""


def choose_device(device: str) -> torch.device:
    """``auto`` takes a GPU where there is one. Raises ``DeviceError``."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise DeviceError(f"{device!r} is no device: write cpu, cuda, cuda:1 or auto") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError("this machine, or this build of torch, has no CUDA device: write --device cpu or auto")
    try:
        torch.Generator(found)  # all that is drawn at random comes from one
    except RuntimeError:
        raise DeviceError(f"there is no training or playing on {device!r} here: write --device cpu or auto") from None
    return found


def allow_tf32() -> None:
    """Lets float32 products on a GPU round to TF32, as DIAMOND's trainer does; elsewhere nothing changes."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True


def full_precision(module: nn.Module) -> Precision:
    """float32, wherever ``module`` is."""
    return Precision(next(module.parameters()).device, torch.float32)


def choose_precision(device: torch.device, dtype: str = "auto", trained: str | None = None) -> Precision:
    """``auto`` takes what ``fastest_dtype`` does, also of what was ``trained``. Raises ``DeviceError``."""
    if dtype == "auto":
        return Precision(device, fastest_dtype(device, DTYPES[trained] if trained else None))
    if dtype not in DTYPES:
        raise DeviceError(f"{dtype!r} is no dtype to compute in: write {', '.join(DTYPES)} or auto")
    return Precision(device, DTYPES[dtype])


def fastest_dtype(device: torch.device, trained: torch.dtype | None = None) -> torch.dtype:
    """The faster of float32 and bfloat16 for the denoiser's kind of convolution; the first call takes about 100 ms.

    On a CPU what was ``trained`` in one of them stays in it unless the other is much faster.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu":
        return torch.float32
    return _faster({dtype: _seconds_per_convolution(dtype) for dtype in DTYPES.values()}, trained)


def _faster(seconds: dict[torch.dtype, float], trained: torch.dtype | None) -> torch.dtype:
    fastest = min(seconds, key=lambda dtype: seconds[dtype])
    return trained if trained and seconds[trained] < MUCH_FASTER * seconds[fastest] else fastest


@functools.cache
def _seconds_per_convolution(dtype: torch.dtype, repeats: int = 7) -> float:
    x = torch.ones(32, 96, 8, 8, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.ones(96, 96, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    seconds = []
    with torch.no_grad():
        for _ in range(repeats):
            start = time.perf_counter()
            F.conv2d(x, weight, padding=1)
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)[repeats // 2]
