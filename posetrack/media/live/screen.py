"""The screen, or a part of it, as a camera."""

from __future__ import annotations

import os
import sys

from posetrack.errors import SourceError
from posetrack.media.live.addresses import Address
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.stream import StreamConnection, open_container

_FPS = 30.0


def open_screen(address: Address, settings: LiveSettings) -> StreamConnection:
    """The screen that `address` names.

    Raises:
        SourceError: no screen can be read here.
    """
    options = {"framerate": f"{settings.fps or _FPS:g}"}
    if address.region is not None:
        x, y, width, height = address.region
        options |= {"video_size": f"{width}x{height}"}
    if sys.platform == "win32":
        what, grabber = "desktop", "gdigrab"
        if address.region is not None:
            options |= {"offset_x": str(x), "offset_y": str(y)}
    elif sys.platform == "darwin":
        what, grabber = "Capture screen 0", "avfoundation"
        if address.region is not None:
            raise SourceError(f"{address.name}: on macOS only the whole screen can be read")
    else:
        what, grabber = os.environ.get("DISPLAY", ""), "x11grab"
        if not what:
            raise SourceError(
                f"{address.name} cannot be read: there is no X display (DISPLAY is not set)"
            )
        if address.region is not None:
            options |= {"grab_x": str(x), "grab_y": str(y)}
    opened = open_container(what, settings, options=options, format=grabber)
    return StreamConnection(opened, address, settings)
