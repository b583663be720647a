"""Where what streams publish meets those who listen; nobody who listens can hold up a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Literal, TypeAlias

from posetrack.serve.message import Message, Published
from posetrack.serve.ring import Ring

Kind: TypeAlias = Literal["frames", "poses", "events", "status", "plain", "drawn"]
"""Frames with their pictures; messages about frames, changes of tracks, changes of streams;
JPEG as it is, and with people drawn."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, and the number of the frame it shows."""

    frame: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """Something published.

    Attributes:
        kind: what it is.
        stream: by whom.
        content: what the kind says; a message holds no picture, so that many can wait.
    """

    kind: Kind
    stream: str
    content: Published | Message | Picture

    def text(self, *, raw: bool = False) -> str:
        """The message as JSON."""
        assert isinstance(self.content, Message), "only messages have a text"
        return self.content.raw_text if raw else self.content.text


class Subscription:
    """One listener's ring.

    Attributes:
        ring: what has come.
        name: of the kind of listener, for the metrics.
    """

    def __init__(
        self, ring: Ring[Item], name: str, kinds: Iterable[Kind], streams: Iterable[str] | None
    ) -> None:
        self.ring, self.name = ring, name
        self._kinds = frozenset(kinds)
        self._streams = None if streams is None else frozenset(streams)

    def wants(self, kind: Kind, stream: str) -> bool:
        """Whether it listens to this."""
        return kind in self._kinds and (self._streams is None or stream in self._streams)


class Hub:
    """Hands every item to the rings of those who want it.

    Args:
        on_drop: told the listener's name where an item was lost to it.
    """

    def __init__(self, on_drop: Callable[[str], None] = lambda name: None) -> None:  # noqa: ARG005
        self._on_drop = on_drop
        self._subscriptions: tuple[Subscription, ...] = ()  # replaced, never changed
        self._changing = Lock()
        self._closed = False

    def publish(self, item: Item) -> None:
        """Give one item to all who want it; never waits."""
        for each in self._subscriptions:
            if each.wants(item.kind, item.stream) and each.ring.put(item):
                self._on_drop(each.name)

    def wanted(self, kind: Kind, stream: str) -> bool:
        """Whether anybody listens to this."""
        return any(each.wants(kind, stream) for each in self._subscriptions)

    @contextmanager
    def subscription(
        self,
        name: str,
        kinds: Iterable[Kind],
        streams: Iterable[str] | None = None,
        *,
        capacity: int = 8,
        on_ready: Callable[[], None] | None = None,
    ) -> Iterator[Subscription]:
        """Listen to some kinds of some streams (None: all, those to come too)."""
        made = Subscription(Ring(capacity, on_ready=on_ready), name, kinds, streams)
        with self._changing:
            self._subscriptions = (*self._subscriptions, made)
            if self._closed:
                made.ring.close()
        try:
            yield made
        finally:
            with self._changing:
                self._subscriptions = tuple(s for s in self._subscriptions if s is not made)

    def counts(self) -> dict[str, int]:
        """How many listen, by name."""
        found: dict[str, int] = {}
        for each in self._subscriptions:
            found[each.name] = found.get(each.name, 0) + 1
        return found

    def close(self) -> None:
        """Tell everybody that nothing more comes."""
        with self._changing:
            self._closed = True
            for each in self._subscriptions:
                each.ring.close()
