"""Messages as datagrams of JSON: the newest counts, and nobody answers."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from posetrack.serve.hub import Item, Kind
from posetrack.serve.sinks.runner import content_kinds, failure
from posetrack.serve.sinks.settings import UdpSettings

LARGEST = 65_000


class Datagrams:
    """A socket to one place."""

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
            raise failure(f"UDP {self._place[0]}:{self._place[1]}", error) from error

    def send(self, data: bytes) -> None:
        """One datagram; nobody listening is no failure. Raises SinkError for other reasons."""
        assert self._socket is not None
        try:
            self._socket.send(data)
        except ConnectionRefusedError:
            return  # of the one before
        except OSError as error:
            raise failure(f"UDP {self._place[0]}:{self._place[1]}", error) from error

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Udp:
    """Every message one datagram; one too large for it is left out."""

    kinds: Sequence[Kind] = content_kinds(poses=True, events=True)

    def __init__(self, settings: UdpSettings) -> None:
        self._datagrams = Datagrams(settings.host, settings.port)

    def open(self) -> None:
        """Find the host."""
        self._datagrams.open()

    def send(self, items: Sequence[Item]) -> None:
        """One each."""
        for item in items:
            data = item.text().encode()
            if len(data) <= LARGEST:
                self._datagrams.send(data)

    def tick(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Give the socket back."""
        self._datagrams.close()
