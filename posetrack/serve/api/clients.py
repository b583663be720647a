"""Live connections: how many there may be, and how items reach one without anybody waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from starlette.exceptions import HTTPException

from posetrack.serve.hub import Hub, Item, Kind, Subscription
from posetrack.serve.settings import LimitSettings


class Clients:
    """Counts live connections, in all and of each address. Used by the event loop only."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()

    @contextmanager
    def admitted(self, address: str) -> Iterator[None]:
        """Room for one more. Raises HTTPException 503 where there is none."""
        if self._by_address.total() >= self._limits.clients:
            raise HTTPException(503, f"there are {self._limits.clients} live clients already")
        if self._by_address[address] >= self._limits.clients_per_address:
            raise HTTPException(503, "too many live clients of this address")
        self._by_address[address] += 1
        try:
            yield
        finally:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


class Listener:
    """The event loop's end of a subscription."""

    def __init__(self, subscription: Subscription, ready: asyncio.Event) -> None:
        self._ring, self._ready = subscription.ring, ready

    @property
    def dropped(self) -> int:
        """Items that were lost because this client was slow."""
        return self._ring.dropped

    async def next(self, timeout_s: float | None = None) -> Item | None:
        """The oldest item that waits; None when nothing came in time, or nothing will any more."""
        item = self._ring.take()
        while item is None and not self._ring.closed:
            self._ready.clear()
            if not len(self._ring):
                try:
                    await asyncio.wait_for(self._ready.wait(), timeout_s)
                except TimeoutError:
                    return None
            item = self._ring.take()
        return item

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._ring.closed and not len(self._ring)


@asynccontextmanager
async def listening(
    hub: Hub, name: str, kinds: Iterable[Kind], streams: Iterable[str] | None, capacity: int
) -> AsyncIterator[Listener]:
    """A subscription whose items are awaited."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(ready.set)

    with hub.subscription(name, kinds, streams, capacity=capacity, on_ready=wake) as subscription:
        yield Listener(subscription, ready)
