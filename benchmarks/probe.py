"""Whether both cores of a machine are really there: timings on shared machines need asking.

    python benchmarks/probe.py

Prints the rate of one single-threaded matrix product, and of each of two at once, in GFLOP/s. On a
virtual machine two cores may be one physical one for minutes, which no load figure shows; and
whatever else runs shows too. `Gate` accepts a timing only between two good probes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

SIDE, SECONDS = 320, 0.12
SINGLE = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP")}


def rates() -> tuple[float, float]:
    """GFLOP/s of one product alone, and of each of two at once (the mean)."""
    import numpy as np

    matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)

    def measure(into: list[float]) -> None:
        count, begin = 0, time.perf_counter()
        while time.perf_counter() < begin + SECONDS:
            matrix @ matrix  # NumPy gives up the interpreter's lock meanwhile
            count += 1
        into.append(2e-9 * SIDE**3 * count / (time.perf_counter() - begin))

    alone: list[float] = []
    measure([])  # wakes the core up
    measure(alone)
    together: list[float] = []
    threads = [threading.Thread(target=measure, args=(together,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return alone[0], sum(together) / 2


@dataclass
class Gate:
    """Health of the machine: 1 is two whole cores, 0.5 is two halves of one.

    Attributes:
        least: health that a timing needs before and after.
        patience_s: how long to wait for it.
        best: rate of one core at its best so far.
    """

    least: float = 0.85
    patience_s: float = 60.0
    best: float = field(default=0.0, init=False)

    def health(self) -> float:
        """The mean rate of two at once over the best rate seen of one."""
        # In a process of its own, so that no thread setting reaches the programs that are timed.
        command = [sys.executable, __file__]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        self.best = max(self.best, found["alone"], found["together"])
        return float(found["together"] / self.best)

    def wait(self) -> float:
        """The health, once it is good enough or patience is over."""
        end = time.monotonic() + self.patience_s
        while (health := self.health()) < self.least and time.monotonic() < end:
            time.sleep(1)
        return health


if __name__ == "__main__":
    os.environ |= SINGLE  # before NumPy loads its library
    alone, together = rates()
    print(json.dumps({"alone": round(alone, 2), "together": round(together, 2)}))
