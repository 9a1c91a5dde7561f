"""A cache that may be read and not written, as on a cluster. Root is stopped too: without one of its rights."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jedi_sdk.hub import Hub, resolve

from .server import HubServer, Repo

DROP_FOR_GOOD, TO_IGNORE_PERMISSIONS = 24, 1  # PR_CAPBSET_DROP and CAP_DAC_OVERRIDE of Linux
LOAD = """
import os, sys
from jedi_sdk import JEDI, HubError
if os.access(os.environ["HF_HUB_CACHE"], os.W_OK):
    sys.exit("the cache can be written to")
for name in sys.argv[2:]:
    try:
        print(JEDI.from_pretrained(name, device="cpu", endpoint=sys.argv[1]).origin)
    except HubError as error:
        print("refused:", error)
"""


def obey_permissions() -> None:
    if sys.platform == "linux" and os.geteuid() == 0:
        ctypes.CDLL(None).prctl(DROP_FOR_GOOD, TO_IGNORE_PERMISSIONS, 0, 0, 0)


@pytest.fixture
def sealed(published: Repo, hub: Hub) -> Iterator[Path]:
    """The cache after a pull, with nothing in it that can be changed."""
    cache = resolve("me/agent", None, hub).folder.parents[2]
    inside = [path for path in (cache, *cache.rglob("*")) if not path.is_symlink()]
    for path in inside:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield cache
    for path in inside:
        path.chmod(0o755)


def test_what_is_there_is_used_and_what_is_not_is_refused(server: HubServer, published: Repo, sealed: Path) -> None:
    server.repos["me/other"] = published
    command = [sys.executable, "-c", LOAD, server.endpoint, "me/agent", "me/other"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_CACHE": str(sealed)}
    done = subprocess.run(command, env=env, text=True, capture_output=True, preexec_fn=obey_permissions)
    if "can be written to" in done.stderr:
        pytest.skip("this system lets root write anywhere, and takes that right from nobody")
    assert done.returncode == 0, done.stderr
    warm, cold = done.stdout.splitlines()
    assert warm.startswith("me/agent (")
    assert cold.startswith("refused: me/other: ")
    assert "cache_dir= or HF_HOME" in cold
