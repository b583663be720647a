"""How a stream is opened: the seam between the daemon and the sources of pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Protocol

from posetrack.media.live import LiveSettings, LiveSource
from posetrack.media.source import is_live, open_source
from posetrack.runner import FrameSource
from posetrack.serve.settings import StreamSettings
from posetrack.types import Frame


class Stoppable(FrameSource, Protocol):
    """What the daemon needs of a source: `stop` ends the iteration, from any thread."""

    name: str

    def stop(self) -> None:
        """Wake whoever waits for a frame; never waits itself."""
        ...


def open_live(settings: StreamSettings, url: str, size: tuple[int, int] | None = None) -> Stoppable:
    """The source of a stream, live in any case: a file is played in its own time.

    Args:
        settings: how it is read.
        url: what is opened, checked and with its secrets filled in.
        size: (width, height) of its pictures so far, if people are known in them: a camera that
            comes back with another size is fitted into it (``live.keep_size``).

    Raises:
        SourceNotFound, SourceError: there is no such file. A network source is opened by the thread
            that reads it, and what is wrong is raised by the iteration.
    """
    part = settings.source
    if is_live(url):
        # A loss comes back to the stream, which checks the address again before each attempt.
        live = LiveSettings(**settings.live.model_dump(), reconnects=0)
        known = size if live.keep_size else None
        return LiveSource(url, live, stride=part.stride, flip=part.flip, size=known)
    return PlayedFile(
        Path(url.removeprefix("file://")),
        stride=part.stride,
        flip=part.flip,
        loop=settings.loop,
    )


class PlayedFile:
    """A file as if it were live: frames come at its own rate, from the start again at its end."""

    is_live = True
    dropped = 0
    warning: str | None = None

    def __init__(self, path: Path, *, stride: int, flip: bool, loop: bool) -> None:
        self._path, self._loop = path, loop
        self._options = {"stride": stride, "flip": flip}
        self._stop = Event()
        source = open_source(path, stride=stride, flip=flip)
        self.name = source.name
        self._source = source

    def __iter__(self) -> Iterator[Frame]:
        began = time.perf_counter()
        ahead_s, index = 0.0, 0
        while not self._stop.is_set():
            last_s, step_s = 0.0, float(1 / self._source.fps)
            with self._source as source:
                for frame in source:
                    last_s = ahead_s + frame.pts_s
                    if self._stop.wait(max(0.0, began + last_s - time.perf_counter())):
                        return
                    now = time.perf_counter()
                    if now - began - last_s > 1.0:  # whoever reads is slow: do not hurry after
                        began = now - last_s
                    yield replace(frame, index=index, pts_s=last_s, captured_at=now)
                    index += 1
            if not self._loop or not index:
                return
            ahead_s = last_s + step_s
            self._source = open_source(self._path, **self._options)  # type: ignore[arg-type]

    def stop(self) -> None:
        """End the iteration, from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Give back the file, in the thread that iterated."""
        self._stop.set()
        self._source.close()


class Continued:
    """A source whose frames and times go on from those of the one before it.

    Args:
        source: opened.
        first: index of its first frame.
        clock_s: `time.perf_counter()` at time 0 of the stream.

    Attributes:
        next: index of the frame after the last one.
        is_over: a file has ended, which is no loss.
    """

    is_live = True

    def __init__(self, source: Stoppable, *, first: int, clock_s: float) -> None:
        self._source, self._first, self._clock_s = source, first, clock_s
        self.next = first
        self.is_over = False
        self.name = source.name

    @property
    def dropped(self) -> int:
        """Frames the source lost."""
        return self._source.dropped

    @property
    def warning(self) -> str | None:
        """What was wrong with it."""
        return self._source.warning

    def __iter__(self) -> Iterator[Frame]:
        origin: int | None = None
        for frame in self._source:
            origin = frame.index if origin is None else origin
            index = self._first + frame.index - origin
            self.next = index + 1
            yield replace(frame, index=index, pts_s=frame.captured_at - self._clock_s)
        self.is_over = isinstance(self._source, PlayedFile)

    def stop(self) -> None:
        """End the iteration, from any thread."""
        self._source.stop()

    def close(self) -> None:
        """Give back what is held; may wait for a read under way."""
        self._source.close()
