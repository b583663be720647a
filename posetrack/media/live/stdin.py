"""Video that comes through standard input: any container, or raw pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable

from posetrack.errors import ConfigError
from posetrack.media.live.addresses import Address
from posetrack.media.live.pipe import Pipe
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.stream import GUARD, StreamConnection, open_container


def open_stdin(
    address: Address, settings: LiveSettings, stopped: Callable[[], bool]
) -> StreamConnection:
    """Standard input; raw pictures where ``settings.format`` names their pixels.

    Raises:
        SourceError: it is no video.
        ConfigError: raw without a size.
    """
    if settings.format is not None and settings.size is None:
        raise ConfigError(
            f"raw pictures ({settings.format}) from stdin have no size of their own: "
            "give it, as in --size 640x480"
        )
    pipe = Pipe(sys.stdin.fileno(), stopped)
    if settings.size is None or settings.format is None:
        options = GUARD | {"protocol_whitelist": "pipe"}
        opened = open_container(pipe, settings, options=options)
    else:
        options = {
            "video_size": "{}x{}".format(*settings.size),
            "pixel_format": settings.format,
            "framerate": str(settings.fps or 30),
        }
        opened = open_container(pipe, settings, options=options, format="rawvideo")
    return StreamConnection(opened, address, settings, finite=True)
