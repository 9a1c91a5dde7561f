"""Thousands of spoiled folders: each loads as what it says, or is refused; none crashes, hangs or fills the memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz.py"
CASES = {"bytes": 800, "json": 900, "header": 500}


@pytest.mark.parametrize("kind", CASES)
def test_a_spoiled_folder_loads_as_what_it_says_or_is_refused(folder: Path, kind: str) -> None:
    command = [sys.executable, str(FUZZ), str(folder), kind, "0", str(CASES[kind])]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, f"crashed: {done.stderr[-2000:]}"
    counts = json.loads(done.stdout)
    assert counts["wrong"] == []
    assert counts["loaded"] + counts["refused"] == CASES[kind]
    assert min(counts["loaded"], counts["refused"]) > 0


def test_it_is_enough() -> None:
    assert sum(CASES.values()) >= 2000
