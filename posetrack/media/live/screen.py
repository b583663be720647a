"""The screen, or a part of it, as a camera."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from posetrack.errors import SourceError
from posetrack.media import screengrab
from posetrack.media.live.addresses import Address
from posetrack.media.live.pipe import Pipe
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.stream import GUARD, StreamConnection, open_container

_FPS = 30.0


class ScreenConnection(StreamConnection):
    """What a process of `posetrack.media.screengrab` sees; see `Connection`.

    Raises:
        SourceError: no screen can be read here.
    """

    def __init__(
        self, address: Address, settings: LiveSettings, stopped: Callable[[], bool]
    ) -> None:
        grabber, screen, options = _what(address, settings)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                str(Path(screengrab.__file__)),
                grabber,
                screen,
                json.dumps(options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        pipe = Pipe(self._process.stdout.fileno(), stopped, settings.read_timeout_s)
        options = GUARD | {"protocol_whitelist": "pipe"}
        opened = open_container(pipe, settings, options=options, format="nut")
        if isinstance(opened, str):
            opened = self._end() or opened
        super().__init__(opened, address, settings, finite=False)

    def close(self) -> None:
        """End the process."""
        super().close()
        self._end()

    def _end(self) -> str:
        """What the process complained of."""
        self._process.kill()
        _, complaint = self._process.communicate()
        lines = complaint.decode("utf-8", "replace").split("\n")
        return lines[-2] if len(lines) > 1 else ""


def _what(address: Address, settings: LiveSettings) -> tuple[str, str, dict[str, str]]:
    """FFmpeg's grabber of this platform, the screen it takes, and its options."""
    options = {"framerate": f"{settings.fps or _FPS:g}"}
    x, y, width, height = address.region or (0, 0, 0, 0)
    if width:
        options["video_size"] = f"{width}x{height}"
    if sys.platform == "win32":
        offset = {"offset_x": str(x), "offset_y": str(y)}
        return "gdigrab", "desktop", options | (offset if width else {})
    if sys.platform == "darwin":
        if width:
            raise SourceError(f"{address.name}: on macOS only the whole screen can be read")
        return "avfoundation", "Capture screen 0", options
    display = os.environ.get("DISPLAY")
    if not display:
        raise SourceError(
            f"{address.name} cannot be read: there is no X display (DISPLAY is not set)"
        )
    offset = {"grab_x": str(x), "grab_y": str(y)}
    return "x11grab", display, options | (offset if width else {})
