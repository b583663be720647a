"""Frames that come in bursts, given at the speed of their time stamps."""

from __future__ import annotations

JUMP_S = 10.0
"""Time stamps that run back, or ahead by more than this, begin a new count."""


class Pace:
    """When each picture of one connection is due."""

    def __init__(self) -> None:
        self._last_s = self._start_s = -float("inf")

    def early_s(self, stamp_s: float, now: float) -> float:
        """Seconds until the picture with time stamp `stamp_s` is due; 0 if it is late."""
        if not 0 <= stamp_s - self._last_s < JUMP_S:
            self._start_s = now - stamp_s
        self._last_s = stamp_s
        return max(self._start_s + stamp_s - now, 0.0)
