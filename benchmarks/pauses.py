"""When this process was not let run: time in which everything stood still counts for nobody.

A machine that is shared may suspend its processes, or starve those of low priority. A thread that
wants to wake every `TICK_S` sees that: what a sleep took longer than `LEAST_S` is a pause.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Self

TICK_S = 0.05
LEAST_S = 1.0


class Pauses(threading.Thread):
    """Runs for as long as the block.

    Attributes:
        lengths_s: of each pause, in order.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.lengths_s: list[float] = []
        self._over = threading.Event()
        self._tick = (perf_counter(), 0.0)  # when it woke last, and `clock_s` then

    def run(self) -> None:
        """Wake, look at the clock, sleep again."""
        while not self._over.wait(TICK_S):
            now, clock_s = perf_counter(), self.clock_s()
            if (length_s := now - self._tick[0] - LEAST_S) > 0:
                self.lengths_s.append(length_s)
            self._tick = (now, clock_s)

    def clock_s(self) -> float:
        """Seconds since the beginning, of which each pause took none."""
        woke, clock_s = self._tick
        return clock_s + min(perf_counter() - woke, LEAST_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
