"""Messages as datagrams of JSON: the newest counts, and nobody answers."""

from __future__ import annotations

from collections.abc import Sequence

from posetrack.osc.datagrams import Datagrams
from posetrack.serve.hub import Item, Kind
from posetrack.serve.sinks.runner import content_kinds
from posetrack.serve.sinks.settings import UdpSettings

LARGEST = 65_000


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
