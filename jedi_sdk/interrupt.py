"""Ctrl-C and SIGTERM as a polite request, to be met between two updates."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """``requested`` turns true on the first signal; the second one stops the program at once."""

    requested = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # Python delivers signals to the main thread alone
            return
        before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
        for kind in before:
            signal.signal(kind, self._request)
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _request(self, kind: int, frame: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
