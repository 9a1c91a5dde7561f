"""What measured an agent: the machine, and the code."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def machine(device: str) -> dict[str, Any]:
    """For ``results.json``: hardware, versions and commit."""
    return {
        "hardware": {"cpu": _cpu(), "cores": os.cpu_count(), "gpu": _gpu(device)},
        "torch": torch.__version__,
        "library_version": version("jedi-sdk"),
        "commit": _commit(),
    }


def _cpu() -> str:
    described = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", described.read_text()) if described.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _gpu(device: str) -> str | None:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else None


def _commit() -> str | None:
    """Where the code is a checkout; with ``-dirty`` behind it where that was changed."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # or it lies in somebody's repository, but not of it
        return _git("describe", "--always", "--dirty", "--abbrev=40")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*words: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
