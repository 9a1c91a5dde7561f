"""The parent's end of a worker: starts it, asks, and says what went wrong when it dies."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from jedi_sdk.process_env import process_env

LAST_LINES = 8


class SpeedError(Exception):
    """A measurement that could not be made: says which, and what its process said last."""


class Child:
    """``spec`` is what ``worker.build`` takes. Use it in a ``with`` block; the process ends with it."""

    def __init__(self, name: str, spec: Mapping[str, Any]) -> None:
        self.name, self.spec = name, spec

    def __enter__(self) -> Child:
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jedi_sdk.benchmark.speed.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            env=process_env(),
            text=True,
        )
        self._write(self.spec)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):  # what could not be written to the dead is tried again here
                assert stream
                stream.close()
        self.said.close()

    def ask(self, do: str, **arguments: Any) -> Any:
        """One answer. Raises ``SpeedError`` when the process ends without one."""
        self._write({"do": do, **arguments})
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SpeedError(self._obituary(do, arguments))
        return json.loads(line)

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # it has died, and the next read finds out
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def _obituary(self, do: str, arguments: Mapping[str, Any]) -> str:
        code = self.process.wait()
        self.said.seek(0)
        last = [line.rstrip() for line in self.said if line.strip()][-LAST_LINES:]
        asked = " ".join([do, *(f"{name}={value}" for name, value in arguments.items())])
        how = "was killed: most likely memory ran out" if code == -signal.SIGKILL else f"ended with exit code {code}"
        return "\n".join([f"{self.name}: its process {how} when it was asked for `{asked}`. It said last:", *last])
