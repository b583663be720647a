"""Pictures shown in a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import cv2

from posetrack.errors import SinkError
from posetrack.types import Image, Result

QUIT_KEYS = frozenset({"q", "\x1b"})


class WindowSink:
    """Shows pictures; ``q``, escape or closing the window calls `on_quit`.

    All methods must run in one thread (on macOS the main one).

    Raises:
        SinkError: from `open`, where there is no display or OpenCV was built without windows.
    """

    def __init__(
        self,
        *,
        title: str = "posetrack",
        on_quit: Callable[[], None] | None = None,
        on_key: Callable[[str], None] | None = None,
    ) -> None:
        self._title = title
        self._on_quit, self._on_key = on_quit, on_key
        self._open = False

    def open(self) -> None:
        """Create the window."""
        require_window()
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise SinkError("cannot show a window: OpenCV could not create one") from error
        self._open = True

    def write(self, result: Result, image: Image, /) -> None:  # noqa: ARG002 - as every sink
        """Show one frame and look for keys."""
        if not self._open:
            return
        cv2.imshow(self._title, image)
        code = cv2.pollKey()
        key = chr(code & 0xFF) if code >= 0 else ""
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        if key in QUIT_KEYS or closed:
            self.finish()
            if self._on_quit is not None:
                self._on_quit()
        elif key and self._on_key is not None:
            self._on_key(key)

    def finish(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            cv2.destroyAllWindows()

    def abort(self) -> None:
        """Close the window."""
        self.finish()


def require_window() -> None:
    """Raises SinkError where no window can be shown."""
    reason = no_window()
    if reason is not None:
        raise SinkError(f"cannot show a window: {reason}; leave out --show")


def no_window() -> str | None:
    """Why no window can be shown here; None where one can."""
    gui = [line for line in cv2.getBuildInformation().splitlines() if "GUI:" in line]
    if gui and "NONE" in gui[0]:
        return "opencv-python is not installed, only its headless build"
    # Qt ends the whole process where it finds no display, so look before it does.
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display (DISPLAY is not set)"
    return None
