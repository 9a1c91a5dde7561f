"""A run's log: one JSON object a line, and the same scalars for TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jedi_sdk.schedule import Counters

FILE = "log.jsonl"


class RunLog:
    """Appends to ``folder/log.jsonl`` and ``folder/tensorboard``.

    A resumed run passes the checkpoint's ``size`` (bytes) and ``step``: what was logged behind them by the run that
    was killed is cut off, and so is half a line where the file is shorter than it should be.
    """

    def __init__(self, folder: Path, size: int = 0, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter  # here, because most who load an agent log nothing

        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / FILE, "ab")  # noqa: SIM115 - closed by close()
        self.file.truncate(_whole_lines(folder / FILE, size))
        self.file.seek(0, os.SEEK_END)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.file.tell()

    def write(self, kind: str, counters: Counters, values: dict[str, float]) -> None:
        """``counters`` say when, ``values`` what was measured; the x axis (``step``) is all updates so far."""
        record = {"kind": kind, "step": counters.updates, **counters.as_dict(), **values}
        self.file.write((json.dumps(record) + "\n").encode())
        self.file.flush()
        for name, value in values.items():
            self.board.add_scalar(name, value, counters.updates)

    def sync(self) -> None:
        """What was written outlives a power cut."""
        os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()
        self.board.close()


def _whole_lines(path: Path, size: int) -> int:
    """The end of the last whole line within the first ``size`` bytes."""
    with open(path, "rb") as file:
        return file.read(size).rfind(b"\n") + 1


def read_log(folder: Path) -> list[dict[str, Any]]:
    with open(folder / FILE, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
