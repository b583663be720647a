"""A socket for datagrams to one place."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from posetrack.errors import SinkError

VMC_PORT = 39539
"""Where what draws an avatar (in VMC's words, the marionette) listens."""


def parse_place(text: str, port: int) -> tuple[str, int]:
    """Host and port of ``HOST``, ``HOST:PORT`` or ``[IPv6]:PORT``; `port` where none is named.

    Raises:
        ValueError: it is no such thing.
    """
    try:
        parts = urlsplit(f"//{text}")
        host, named = parts.hostname, parts.port
    except ValueError:
        host, named = None, None
    if host is None or parts.netloc != text or "@" in text or named == 0:
        raise ValueError(f"write HOST or HOST:PORT, such as 127.0.0.1:{port}")
    return host, named or port


class Datagrams:
    """Sends to `host` and `port`, whether somebody listens there or not."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Find the host. Raises SinkError."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                *self._place, type=socket.SOCK_DGRAM
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)
        except OSError as error:
            self.close()
            raise self._failure(error) from error

    def send(self, data: bytes) -> None:
        """One datagram; nobody listening is no failure. Raises SinkError for other reasons."""
        assert self._socket is not None
        try:
            self._socket.send(data)
        except ConnectionRefusedError:
            return  # of the one before
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _failure(self, error: OSError) -> SinkError:
        host, port = self._place
        return SinkError(f"UDP {host}:{port}: {error}")
