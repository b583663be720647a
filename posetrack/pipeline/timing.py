"""How long things took: samples in seconds of the monotonic clock, percentiles in milliseconds."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

WINDOW = 1 << 16
"""Percentiles are over the last so many samples: memory stays flat in runs of months."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A summary of durations; all zero where there were none."""

    count: int = 0
    total_s: float = 0.0
    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class Samples:
    """Durations in seconds, added by one thread."""

    def __init__(self, window: int = WINDOW) -> None:
        self.count = 0
        self.total_s = 0.0
        self._window = window
        self._max_s = 0.0
        self._recent = array("d")

    def add(self, seconds: float) -> None:
        """Count one duration."""
        if self.count < self._window:
            self._recent.append(seconds)
        else:
            self._recent[self.count % self._window] = seconds
        self.count += 1
        self.total_s += seconds
        if seconds > self._max_s:
            self._max_s = seconds

    def spread(self) -> Spread:
        """Count, total, mean and maximum of all; percentiles of the last `WINDOW`."""
        if not self.count:
            return Spread()
        recent_ms = np.array(self._recent[:]) * 1e3  # a copy first: the writer may go on
        p50, p95, p99 = np.percentile(recent_ms, (50, 95, 99))
        mean_ms = self.total_s / self.count * 1e3
        return Spread(
            count=self.count,
            total_s=self.total_s,
            mean_ms=mean_ms,
            p50_ms=float(p50),
            p95_ms=float(p95),
            p99_ms=float(p99),
            max_ms=self._max_s * 1e3,
        )


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What one stage did with its time: per item, at work and waiting for its neighbours."""

    stage: str
    busy: Spread
    waiting: Spread
