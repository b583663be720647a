"""One open connection: pictures until it ends or breaks, every wait bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from posetrack.media.live.addresses import Address
from posetrack.media.live.settings import LiveSettings
from posetrack.types import Image


class Connection(Protocol):
    """An open source.

    Attributes:
        fps: as the sender says it; None where it does not.
        codec: how the pictures are coded.
        finite: the end of its data is the end of it, not a loss.
        paced: pictures come in bursts and are to be given at the speed of their time stamps.
        stamp_s: time stamp of the picture read last, if it has one.
    """

    fps: float | None
    codec: str | None
    finite: bool
    paced: bool
    stamp_s: float | None

    def read(self) -> Image | None:
        """The next picture; None at the end. Raises SourceError, within the read timeout."""
        ...

    def close(self) -> None:
        """Give back sockets and devices."""
        ...


def open_connection(
    address: Address, settings: LiveSettings, stopped: Callable[[], bool]
) -> Connection:
    """A connection to `address`; those that can look at `stopped` while they wait.

    Raises:
        SourceError: it cannot be opened within the time allowed; the message holds no password.
    """
    match address.medium:
        case "camera":
            from posetrack.media.live.device import DeviceConnection

            return DeviceConnection(address.spec, settings)
        case "screen":
            from posetrack.media.live.screen import ScreenConnection

            return ScreenConnection(address, settings, stopped)
        case "stdin":
            from posetrack.media.live.stdin import open_stdin

            return open_stdin(address, settings, stopped)
        case "network":
            from posetrack.media.live.network import open_network

            return open_network(address, settings)
