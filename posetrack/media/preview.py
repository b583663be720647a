"""A window on a live run, which answers keys also while no pictures come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import cv2

from posetrack.errors import SinkError
from posetrack.media.overlay import Pulse, write_words
from posetrack.media.window import require_window
from posetrack.types import Image, Result

_TICK_S = 0.03
_REFRESH_S = 0.25
"""Without new pictures the words are drawn this often."""


class Controls(Protocol):
    """What the window asks and tells; called in the window's thread."""

    paused: bool

    def press(self, key: str, shown: tuple[Result, Image]) -> None:
        """A key was pressed while `shown` was in the window."""
        ...

    def close(self) -> None:
        """The window was closed."""
        ...

    def words(self) -> tuple[list[str], list[str]]:
        """What to write into the picture besides rate and latency: notes, and alerts."""
        ...


class PreviewWindow:
    """A sink that shows the newest picture; see `Sink`.

    OpenCV's windows belong to one thread, which is this object's own.

    Raises:
        SinkError: from `open`, where there is no display or OpenCV was built without windows.
    """

    def __init__(
        self, controls: Controls, *, title: str = "posetrack", poll: Callable[[], int] = cv2.pollKey
    ) -> None:
        self._controls, self._title, self._poll = controls, title, poll
        self._pulse = Pulse()
        self._changed = threading.Condition()
        self._newest: tuple[Result, Image] | None = None
        self._fresh = self._closing = False
        self._ready = threading.Event()
        self._problem: str | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Create the window."""
        require_window()
        self._thread = threading.Thread(target=self._live, name="window", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            raise SinkError(f"cannot show a window: {self._problem}")

    def write(self, result: Result, image: Image, /) -> None:
        """Show `image` soon; one that is still waiting is not shown."""
        self._pulse.beat(result)
        with self._changed:
            if not self._controls.paused:
                self._newest, self._fresh = (result, image), True
            self._changed.notify()

    def finish(self) -> None:
        """Close the window."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2)

    def abort(self) -> None:
        """Close the window."""
        self.finish()

    def picture(self) -> Image | None:
        """What the window shows: the newest picture with the words on it."""
        if self._newest is None:
            return None
        _, image = self._newest
        notes, alerts = self._controls.words()
        shown = image.copy()
        fps, latency_s = self._pulse.reading()
        write_words(shown, [f"{fps:.1f} fps", f"{latency_s * 1e3:.0f} ms", *notes], alerts)
        return shown

    def _live(self) -> None:
        try:
            plain = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(self._title, plain)
        except cv2.error:
            self._problem = "OpenCV could not create one"
        finally:
            self._ready.set()
        if self._problem is None:
            self._show()
            if not _was_closed(self._title):
                cv2.destroyWindow(self._title)

    def _show(self) -> None:
        shown_at, sized = 0.0, False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._fresh or self._closing, _TICK_S)
                if self._closing:
                    return
                fresh, self._fresh = self._fresh, False
            now = time.perf_counter()
            if self._newest is not None and (fresh or now - shown_at > _REFRESH_S):
                shown = self.picture()
                assert shown is not None
                if not sized:
                    cv2.resizeWindow(self._title, shown.shape[1], shown.shape[0])
                    sized = True
                cv2.imshow(self._title, shown)
                shown_at = now
            self._answer()

    def _answer(self) -> None:
        code = self._poll()
        if code >= 0 and self._newest is not None:
            self._controls.press(chr(code & 0xFF), self._newest)
        elif self._newest is not None and _was_closed(self._title):
            self._closing = True
            self._controls.close()


def _was_closed(title: str) -> bool:
    """Whether the user closed the window."""
    try:
        return bool(cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1)
    except cv2.error:
        return True
