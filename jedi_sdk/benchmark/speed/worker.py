"""One side, in a process of its own: reads what to build, then what to do, a line of JSON each; answers likewise.

Started by ``child.py`` as ``python -m jedi_sdk.benchmark.speed.worker``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any, Protocol

from jedi_sdk.benchmark.speed.ceilings import measure_machine
from jedi_sdk.benchmark.speed.clock import forget_peak_memory, give_memory_back, peak_memory, time_calls
from jedi_sdk.benchmark.speed.count import count
from jedi_sdk.benchmark.speed.diamond import Diamond
from jedi_sdk.benchmark.speed.operators import profile_calls
from jedi_sdk.benchmark.speed.ours import Ours
from jedi_sdk.learner import PARTS
from jedi_sdk.precision import Precision, allow_tf32, choose_device, choose_precision

WARM = 3  # calls before the first that is timed, where they are quick; else one
SHAPES = 256  # compiled for each network: sizes times dtypes, with gradients and without
QUICK = 1.0  # seconds; a GPU's first call is slow whatever it does


class Side(Protocol):
    """What can be timed. ``work`` gives a call that does ``part`` once, for ``n`` dreams or a batch of ``n``."""

    @property
    def parameters(self) -> int: ...

    def work(self, part: str, n: int) -> Callable[[], object]: ...


class Worker:
    """Each public method answers one kind of request."""

    def __init__(self, side: Side, precision: Precision) -> None:
        self.side, self.device, self.precision = side, precision.device, precision
        self._work = cache(side.work)

    def parameters(self) -> int:
        return self.side.parameters

    def warm_up(self, part: str, n: int) -> dict[str, int]:
        """Counts what one call does, as torch runs it uncompiled; then calls as often as the first timed one needs.

        What the counted call took is no part of ``memory``.
        """
        call, start = self._work(part, n), time.perf_counter()
        counted = count(call)
        slow = time.perf_counter() - start > QUICK and self.device.type == "cpu"
        give_memory_back()
        for _ in range(1 if slow else WARM):
            call()
        forget_peak_memory(self.device)
        return asdict(counted)

    def time(self, part: str, n: int, seconds: float) -> list[float]:
        return time_calls(self._work(part, n), self.device, seconds)

    def epoch(self, n: int, updates: dict[str, int]) -> float:
        calls = [self._work(part, n) for part in PARTS for _ in range(updates[part])]
        return time_calls(lambda: [call() for call in calls], self.device, 0.0)[0]

    def memory(self) -> int:
        return peak_memory(self.device)

    def profile(self, n: int) -> dict[str, Any]:
        return asdict(profile_calls([self._work(part, n) for part in PARTS], self.device))

    def machine(self) -> dict[str, Any]:
        """To be asked last: what it measures with would count as memory."""
        return asdict(measure_machine(self.precision))


def build(kind: str, device: str, dtype: str, compiled: bool, **arguments: Any) -> Worker:
    precision = choose_precision(choose_device(device), dtype)
    make = {"ours": Ours, "diamond": Diamond}[kind]
    allow_tf32()
    if compiled:
        compile_every_shape()
    return Worker(make(precision=precision, compiled=compiled, **arguments), precision)


def compile_every_shape() -> None:
    """By itself torch compiles for eight shapes, and runs any more uncompiled without a word. Here it fails."""
    from torch._dynamo import config

    config.recompile_limit = config.accumulated_recompile_limit = SHAPES
    config.fail_on_recompile_limit_hit = True


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed must not come between the answers
    worker = build(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("do"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
