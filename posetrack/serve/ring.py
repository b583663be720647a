"""A bounded queue that never makes its writer wait: when it is full the oldest item goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Generic[T]):
    """Items for one slow or fast reader.

    Attributes:
        dropped: items that were replaced before they were read.
        closed: nothing more will come.
    """

    def __init__(self, capacity: int, *, on_ready: Callable[[], None] | None = None) -> None:
        """Make an empty one; `on_ready` is called by the writer where the reader has nothing."""
        self.dropped = 0
        self.closed = False
        self._items: deque[T] = deque(maxlen=capacity)
        self._changed = Condition()
        self._on_ready = on_ready

    def put(self, item: T) -> bool:
        """Add the newest; whether the oldest had to go for it. Never waits."""
        with self._changed:
            if self.closed:
                return False
            was_empty, is_full = not self._items, len(self._items) == self._items.maxlen
            self._items.append(item)
            self.dropped += is_full
            self._changed.notify()
        if was_empty and self._on_ready is not None:
            self._on_ready()
        return is_full

    def take(self, timeout_s: float = 0.0) -> T | None:
        """The oldest item, waited for so long; None where there is none."""
        with self._changed:
            if timeout_s:
                self._changed.wait_for(lambda: self._items or self.closed, timeout_s)
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        """Wake the reader; what is inside can still be taken."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        if self._on_ready is not None:
            self._on_ready()

    def __len__(self) -> int:
        return len(self._items)
