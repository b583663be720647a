"""Waiting for a state rather than for time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(true: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """What `true` returns, once it is true."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s:g} s: {what}")
