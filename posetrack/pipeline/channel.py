"""A bounded channel from one writer thread to one reader thread, whose end is a state."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class AbortedError(Exception):
    """The channel no longer carries anything: whoever waits on it has to stop."""


class Channel(Generic[T]):
    """Iterate to read. The end is a state, not an item: `close` drains, `abort` drops.

    Attributes:
        capacity: items it holds at most.
        drop_oldest: a full channel loses its oldest item instead of blocking the writer.
        dropped: items lost that way.
    """

    def __init__(self, capacity: int, *, drop_oldest: bool = False) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds at least one item, got capacity {capacity}")
        self.capacity = capacity
        self.drop_oldest = drop_oldest
        self.dropped = 0
        self._items: deque[T] = deque()
        # With one writer and one reader at most one of them waits: one condition is enough.
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._aborted = False

    def put(self, item: T) -> None:
        """Hand over one item; blocks while full, unless the channel drops its oldest.

        Raises:
            AbortedError: the channel was aborted, or closed by somebody else than its writer.
        """
        with self._changed:
            if self.drop_oldest:
                if len(self._items) == self.capacity and not self._closed:
                    self._items.popleft()
                    self.dropped += 1
            else:
                while len(self._items) == self.capacity and not self._closed:
                    self._changed.wait()
            if self._closed:
                raise AbortedError
            self._items.append(item)
            self._changed.notify()

    def __iter__(self) -> Channel[T]:
        return self

    def __next__(self) -> T:
        """The oldest item; blocks while empty, ends once the channel is closed and drained.

        Raises:
            AbortedError: the channel was aborted.
        """
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if self._aborted:
                raise AbortedError
            if not self._items:
                raise StopIteration
            item = self._items.popleft()
            self._changed.notify()
            return item

    def __len__(self) -> int:
        return len(self._items)

    def close(self) -> None:
        """No more items will come; those inside are still read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Drop what is inside and wake both sides with AbortedError."""
        with self._changed:
            self._closed = self._aborted = True
            self._items.clear()
            self._changed.notify_all()
