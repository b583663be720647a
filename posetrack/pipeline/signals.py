"""Ctrl-C and SIGTERM: the first drains, the second aborts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Stoppable(Protocol):
    """What a signal can stop; `stop` must be safe inside a signal handler."""

    def stop(self) -> None:
        """The first call drains and finalises, the second aborts."""
        ...


@contextmanager
def stop_on_signals(target: Stoppable) -> Iterator[list[int]]:
    """Stop `target` at SIGINT and SIGTERM; yields the list of the signals received so far.

    The previous handlers come back at the end. Main thread only (Python's rule for handlers).
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        target.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
