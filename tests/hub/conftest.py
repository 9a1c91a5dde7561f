"""A Hub on loopback, a small agent to send there, and nothing of the machine's own Hub settings."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LEAKS = ("HF_", "HUGGING", "JEDI_HUB", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
for name in [name for name in os.environ if name.upper().startswith(LEAKS)]:
    del os.environ[name]
NO_HOME = tempfile.TemporaryDirectory(prefix="jedi-hub-")
os.environ["HF_HOME"] = NO_HOME.name  # before huggingface_hub reads it

from jedi_sdk import JEDI  # noqa: E402
from jedi_sdk.hub import Hub  # noqa: E402

from .server import HubServer, Repo  # noqa: E402


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for elsewhere fails the test."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX or address[0] == "127.0.0.1", f"a request to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.close()


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    """A client of ``server`` with an empty cache."""
    return Hub(server.endpoint, cache_dir=tmp_path / "cache")


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    """A tiny agent, trained for a moment."""
    folder = tmp_path_factory.mktemp("hub") / "run"
    return JEDI("catch", preset="tiny", seed=1, device="cpu").learn(run_dir=folder, progress=False)


@pytest.fixture(scope="session")
def exported(agent: JEDI, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its public folder."""
    return agent.export(tmp_path_factory.mktemp("exported") / "mine", episodes=10, progress=False)


@pytest.fixture
def published(server: HubServer, exported: Path) -> Repo:
    """``me/agent`` at two commits: the older one is the tag v1 and the branch dev."""
    files = {path.name: path.read_bytes() for path in exported.iterdir()}
    repo = server.repos["me/agent"] = Repo()
    repo.refs["v1"] = repo.commit(files, "dev")
    repo.commit({**files, "README.md": b"newer", "notes/secret.txt": b"not an agent's"})
    return repo
