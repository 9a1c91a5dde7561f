"""What a process is told, seen from outside: pages that it must ask the kernel for again and again, or keeps."""

import os
import subprocess
import sys

import pytest

from jedi_sdk.process_env import SETTINGS, process_env

BUFFERS = """
import ctypes, resource, sys
from jedi_sdk.process_env import keep_memory
kept = sys.argv[1] == "keep" and keep_memory()
import torch
for i in range(30):
    if i == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, kept)
"""


def test_what_the_shell_sets_wins():
    shell = {"MALLOC_TRIM_THRESHOLD_": "1", "HOME": "/"}
    assert process_env(shell) == SETTINGS | shell


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted as Linux does")
def test_memory_that_is_kept_is_not_asked_for_again():
    """64 MB taken and given back 25 times: anew each time, or once."""
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}

    def faults(how: str, **more: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", BUFFERS, how], env=env | more, capture_output=True, text=True, check=True
        )
        return int(done.stdout.split()[0])

    anew, kept, told = faults("-"), faults("keep"), faults("-", **SETTINGS)
    assert kept < anew / 3
    assert told < anew / 3
    assert faults("keep", MALLOC_MMAP_THRESHOLD_="131072") > anew / 3  # the shell's word stands
