"""Video that comes through standard input: any container, or raw pictures."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

from posetrack.errors import ConfigError
from posetrack.media.live.addresses import Address
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.stream import GUARD, StreamConnection, open_container

_LOOK_S = 0.2


class _Pipe:
    """A file descriptor that can be read by FFmpeg and stopped from outside."""

    def __init__(self, descriptor: int, stopped: Callable[[], bool]) -> None:
        self._descriptor, self._stopped = descriptor, stopped

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end and once stopped."""
        while not self._stopped():
            # Windows has no select for pipes: there the read itself waits.
            ready = sys.platform == "win32" or select.select([self._descriptor], [], [], _LOOK_S)[0]
            if ready:
                return os.read(self._descriptor, size)
        return b""


def open_stdin(
    address: Address, settings: LiveSettings, stopped: Callable[[], bool]
) -> StreamConnection:
    """Standard input; raw pictures where ``settings.format`` names their pixels.

    Raises:
        SourceError: it is no video. ConfigError: raw without a size.
    """
    options = GUARD | {"protocol_whitelist": "pipe"}
    raw = settings.format is not None
    if raw:
        if settings.size is None:
            raise ConfigError(f"raw pictures ({settings.format}) from stdin need width and height")
        width, height = settings.size
        options = {
            "video_size": f"{width}x{height}",
            "pixel_format": str(settings.format),
            "framerate": str(settings.fps or 30),
        }
    pipe = _Pipe(sys.stdin.fileno(), stopped)
    opened = open_container(
        pipe, settings, options=options, format="rawvideo" if raw else None, buffer_size=1 << 16
    )
    return StreamConnection(opened, address, settings, finite=True)
