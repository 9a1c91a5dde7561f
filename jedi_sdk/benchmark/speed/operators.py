"""Where the time of some calls goes, by operator and by kind of operator."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import DeviceType  # pyright: ignore[reportPrivateImportUsage]
from torch.profiler import ProfilerActivity

from jedi_sdk.benchmark.speed.clock import wait_for

TOP = 12
KINDS = {  # what a name contains; the first match counts
    "optimiser and clipping": ("_foreach", "adam", "vector_norm"),
    "attention": ("bmm", "::_softmax", "scaled_dot_product", "efficient_attention", "flash"),
    "convolution": ("conv",),
    "norm": ("norm",),
    "matrix product": ("mm", "linear"),
    "copy": ("copy", "cat", "fill", "zero", "index", "gather"),
}
ELSE = "other operations"
OUTSIDE = "Python and waiting"


@dataclass(frozen=True)
class Operator:
    name: str
    calls: int
    seconds: float


@dataclass(frozen=True)
class Profile:
    """``launches`` of kernels on a GPU, of operations on a CPU. ``seconds`` by the wall; the profiler slows it.

    ``kinds`` add up to ``seconds``; ``top`` are the operators that took longest, without those they call.
    """

    seconds: float
    launches: int
    kinds: dict[str, float]
    top: list[Operator]


def profile_calls(calls: Iterable[Callable[[], object]], device: torch.device) -> Profile:
    """One run of ``calls``, which should be warm."""
    gpu = device.type == "cuda"
    watched = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with torch.profiler.profile(activities=watched) as profiler:
        start = time.perf_counter()
        for call in calls:
            call()
        wait_for(device)
        seconds = time.perf_counter() - start
    events: list[Any] = [event for event in profiler.events() or [] if _is_asked_for(event)]
    taken: dict[str, float] = defaultdict(float)
    for event in events:
        taken[event.name] += 1e-6 * (event.self_device_time_total if gpu else event.self_cpu_time_total)
    number = Counter(event.name for event in events)
    return Profile(
        seconds=seconds,
        launches=sum(len(event.kernels) if gpu else _is_outermost(event) for event in events),
        kinds=by_kind(taken, seconds),
        top=[
            Operator(name, number[name], spent)
            for name, spent in sorted(taken.items(), key=lambda item: -item[1])[:TOP]
        ],
    )


def is_operation(name: str) -> bool:
    """Not the autograd engine's or the optimiser's own bookkeeping around operations."""
    return "::" in name and not name.startswith("autograd::")


def _is_asked_for(event: Any) -> bool:
    """By the CPU; a kernel that it starts on a GPU comes as an event, too, and its time would count twice."""
    return event.device_type == DeviceType.CPU and is_operation(event.name)


def by_kind(taken: dict[str, float], seconds: float) -> dict[str, float]:
    """Seconds by kind; what no operation took is Python's, or waiting."""
    kinds = dict.fromkeys([*KINDS, ELSE], 0.0)
    for name, spent in taken.items():
        kinds[kind_of(name)] += spent
    return kinds | {OUTSIDE: max(0.0, seconds - sum(kinds.values()))}


def kind_of(name: str) -> str:
    found = (kind for kind, words in KINDS.items() if any(word in name.lower() for word in words))
    return next(found, ELSE)


def _is_outermost(event: Any) -> bool:
    parent = event.cpu_parent
    return parent is None or not is_operation(parent.name)
