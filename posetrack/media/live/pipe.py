"""A pipe that FFmpeg reads through Python, so that it can be stopped and never waits for ever."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable

_LOOK_S = 0.2


class Pipe:
    """The reading end of a pipe.

    Args:
        descriptor: of the file; stays open.
        stopped: looked at while waiting.
        patience_s: so long a wait counts as the end; None waits on.
    """

    def __init__(
        self, descriptor: int, stopped: Callable[[], bool], patience_s: float | None = None
    ) -> None:
        self._descriptor, self._stopped, self._patience_s = descriptor, stopped, patience_s

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end and once stopped."""
        begin = time.perf_counter()
        while not self._stopped():
            # Windows has no select for pipes: there the read itself waits.
            ready = sys.platform == "win32" or select.select([self._descriptor], [], [], _LOOK_S)[0]
            if ready:
                return os.read(self._descriptor, size)
            if self._patience_s is not None and time.perf_counter() - begin > self._patience_s:
                break
        return b""
