"""What a process is told, at best before it starts: how glibc hands memory out, and how many threads torch takes.

By default glibc maps every large buffer anew and gives it back at once, so that each step of a network pays for the
same pages again. It reads its settings once, at the start; a process that runs already can still ask for them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

KEPT = 2**30  # bytes; smaller buffers stay with the process
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names, and its numbers
SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": str(KEPT),
    "MALLOC_TRIM_THRESHOLD_": str(KEPT),
}


def process_env(present: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child process: ``present``, which wins, and ``SETTINGS``."""
    return SETTINGS | dict(present)


def use_threads(threads: int) -> None:
    """So many of torch's threads for the rest of the process, at most one a core; 0 leaves as many as it has."""
    import torch  # a parent that only hands its environment on needs none

    if threads:
        torch.set_num_threads(min(threads, os.cpu_count() or 1))


def keep_memory() -> bool:
    """The same two settings of glibc for this process, from here on; what the shell has set wins.

    Whether glibc agreed: False where there is none, where the shell set either, and where it finds this too large.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    numbers = {"MALLOC_MMAP_THRESHOLD_": M_MMAP_THRESHOLD, "MALLOC_TRIM_THRESHOLD_": M_TRIM_THRESHOLD}
    agreed = [mallopt(number, KEPT) == 1 for name, number in numbers.items() if name not in os.environ]
    return len(agreed) == len(numbers) and all(agreed)
