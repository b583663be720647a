"""Any frame of a video by its index, as JPEG: decoded on from where the last one was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock

import cv2
import numpy as np

from posetrack.errors import SourceError
from posetrack.media.source import Source
from posetrack.records import Recording
from posetrack.types import Frame, Image

CACHE_BYTES = 96 * 2**20
_QUALITY = 88
_BACK = 24
"""Frames before the one asked for that are kept too: whoever steps back steps on."""
_AHEAD = 50
"""Frames that are rather decoded on than sought."""


class Stills:
    """JPEGs of frames. Any thread may call; one decodes at a time.

    Args:
        open_at: the source from a time on (seconds of the file), every frame of it.
        recording: tells at what time a frame is.
        time_scale: seconds of media time in a second of the file.
    """

    def __init__(
        self, open_at: Callable[[float], Source], recording: Recording, time_scale: float = 1.0
    ) -> None:
        self._open_at, self._recording, self._time_scale = open_at, recording, time_scale
        self._source: Source | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next: int | None = None
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def jpeg(self, index: int) -> bytes:
        """Frame `index` of the source.

        Raises:
            SourceError: it has no such frame, or cannot be read.
        """
        with self._lock:
            found = self._kept.get(index)
            if found is None:
                found = self._decoded(index)
            else:
                self._kept.move_to_end(index)
            return found

    def close(self) -> None:
        """Give back the file."""
        with self._lock:
            self._close()

    def _decoded(self, index: int) -> bytes:
        if self._next is None or not self._next <= index < self._next + _AHEAD:
            self._seek(index)
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index > index:
                break
            if frame.index > index - _BACK:
                self._keep(frame.index, _jpeg(frame.image))
            if frame.index == index:
                return self._kept[index]
        else:
            self._close()
        raise SourceError(f"the video has no frame {index}: is it the one of these records?")

    def _seek(self, index: int) -> None:
        """Go to somewhat before a frame; to the beginning where its time is not sure."""
        self._close()
        start_s = self._time_s(max(0, index - _BACK + 1))
        if start_s > 0:
            try:
                self._begin(start_s)
            except SourceError:  # nothing there: the times are of another video, or it is cut
                self._close()
        if self._next is None or self._next > index:
            self._close()
            self._begin(0.0)

    def _begin(self, start_s: float) -> None:
        self._source = self._open_at(start_s)
        frames = iter(self._source)
        first = next(frames)
        self._next = first.index
        self._frames = _and_then(first, frames)

    def _time_s(self, index: int) -> float:
        """When a frame is, in seconds of the file; a little early."""
        known = self._recording
        if not len(known.frames):
            return 0.0
        first, step_s = int(known.frames[0]), 1 / known.header.fps
        at = np.interp(index, known.frames, known.times_s)
        if index < first:
            at = known.times_s[0] - (first - index) * step_s
        return max(0.0, (float(at) - 0.5 * step_s) / self._time_scale)

    def _keep(self, index: int, data: bytes) -> None:
        self._bytes += len(data) - len(self._kept.get(index, b""))
        self._kept[index] = data
        self._kept.move_to_end(index)
        while self._bytes > CACHE_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source, self._frames, self._next = None, iter(()), None


def _and_then(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest


def _jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
