"""Connections of strangers: how many, how long they may take to ask, and how much they may say."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from posetrack.serve.gate import network_of
from posetrack.serve.settings import LimitSettings

HEAD_BYTES = 32 * 1024
"""Of the first line and the headers of a request."""
ASKING_S = 20.0
"""For a whole request, its body included, and before the first one."""
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"


def bounded_connections(limits: LimitSettings) -> type[asyncio.Protocol]:
    """What the web server calls for each connection.

    There may be twice as many as live clients, in all and of an address: room for those who ask.
    """
    most, most_of_address = 2 * limits.clients, 2 * limits.clients_per_address
    return cast(type[asyncio.Protocol], partial(Connection, Counter(), most, most_of_address))


class Connection(HttpToolsProtocol):
    """One connection; whoever is slow to ask is cut off before any token is looked at.

    Args:
        known: connections by address, shared by all.
        most: in all.
        most_of_address: of one address.
        given: what the web server says.
    """

    def __init__(self, known: Counter[str], most: int, most_of_address: int, **given: Any) -> None:
        super().__init__(**given)
        self._known, self._most, self._most_of_address = known, most, most_of_address
        self._address: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head, self._head_bytes = True, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refused without a word where there are too many."""
        super().connection_made(transport)
        self._address = network_of(self.client[0] if self.client else "")
        self._known[self._address] += 1
        if self._known.total() > self._most or self._known[self._address] > self._most_of_address:
            transport.abort()
            return
        self._begin_to_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._end_to_wait()
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        self._begin_to_wait()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._in_head = True
        self._begin_to_wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._end_to_wait()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Another protocol takes the connection, which the limits of live clients bound."""
        self._end_to_wait()
        self._forget()
        super().handle_websocket_upgrade()

    def _begin_to_wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(ASKING_S, self.transport.abort)

    def _end_to_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget(self) -> None:
        if self._address is not None:
            self._known[self._address] -= 1
            if not self._known[self._address]:
                del self._known[self._address]
            self._address = None
