"""When this process was not let run: time in which everything stood still counts for nobody.

A machine that is shared may suspend its processes, or starve those of low priority. A thread that
wants to wake every `TICK_S` sees that: what a sleep took longer, from `LEAST_S` on, is a pause.
"""

from __future__ import annotations

import threading
from time import perf_counter, sleep
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

    def run(self) -> None:
        """Wake, look at the clock, sleep again."""
        before = perf_counter()
        while not self._over.wait(TICK_S):
            now = perf_counter()
            if now - before > LEAST_S:
                self.lengths_s.append(now - before - TICK_S)
            before = now

    @property
    def total_s(self) -> float:
        """Of all pauses so far."""
        return sum(self.lengths_s)

    def clock_s(self) -> float:
        """A clock that stands still in pauses, once each is over and noticed."""
        return perf_counter() - self.total_s

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def wait_noticed() -> None:
    """Long enough that a pause that has just ended is counted."""
    sleep(2 * TICK_S)
