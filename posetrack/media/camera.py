"""Live sources: the newest frame wins, a lost connection is opened again."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np

from posetrack.errors import SourceError, SourceNotFound
from posetrack.media.colour import ToBgr
from posetrack.media.source import ClosesItself, Kind, redact
from posetrack.types import Frame, Image

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
RECONNECTS = 5
BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 8.0


class _Grabber(Protocol):
    """An open connection: `read` blocks for the next picture; None means the end."""

    fps: Fraction | float | None
    finite: bool

    def read(self) -> Image | None: ...

    def close(self) -> None: ...


class CameraSource(ClosesItself):
    """A camera by index or device path, or a stream by address; see `Source`.

    A thread reads without pause; whoever iterates gets the newest frame, and frames nobody took
    are counted in `dropped` (their places in `Frame.index` stay empty). `Frame.pts_s` is the time
    since the first frame came. A connection that breaks is opened again, at most `reconnects`
    times in a row, each time after a longer pause; then iterating raises SourceError.

    Raises:
        SourceNotFound: no such device. SourceError: it cannot be opened.
    """

    def __init__(
        self, spec: str, *, stride: int = 1, flip: bool = False, reconnects: int = RECONNECTS
    ) -> None:
        self.name = redact(spec)
        self.kind: Kind = "live"
        self.path: Path | None = None
        self.is_live = True
        self.has_audio = False
        self.frame_count: int | None = None
        self.duration_s: float | None = None
        self.time_base = Fraction(1, 90_000)
        self.time_scale = 1.0
        self.zero_s = 0.0
        self.sample_aspect = Fraction(1)
        self.dropped = 0
        self.warning: str | None = None
        self._spec, self._stride, self._reconnects = spec, stride, reconnects
        self._flip = flip
        self._ready = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._error: SourceError | None = None
        self._stop = threading.Event()
        self._grabber: _Grabber = _connect(spec)
        first = self._grabber.read()
        if first is None:
            self._grabber.close()
            raise SourceError(f"{self.name} opened but gives no picture: is it in use elsewhere?")
        self.size = (first.shape[1], first.shape[0])
        self.fps: Fraction | float = (self._grabber.fps or 30.0) / stride
        self._count, self._began = 0, time.perf_counter()
        self._offer(first)
        self._thread = threading.Thread(target=self._grab, name="grab", daemon=True)
        self._thread.start()
        self._frames = self._read()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Stop the reading thread and give back the device."""
        self._stop.set()
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        self._thread.join(timeout=READ_TIMEOUT_S + 1)

    def _read(self) -> Generator[Frame]:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._newest is not None or self._ended)
                frame, self._newest = self._newest, None
                if frame is None:
                    if self._error is not None:
                        raise self._error
                    return
            yield frame

    def _offer(self, image: Image) -> None:
        """Make `image` the newest frame; an older one that nobody took is dropped."""
        index, self._count = self._count, self._count + 1
        if index % self._stride:
            return
        if self._flip:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
        now = time.perf_counter()
        frame = Frame(image, index, now - self._began, now, self.name)
        with self._ready:
            self.dropped += self._newest is not None
            self._newest = frame
            self._ready.notify_all()

    def _grab(self) -> None:
        """The reading thread; whatever happens, it ends by waking the reader."""
        error: SourceError | None = None
        try:
            while not self._stop.is_set():
                image = self._grabber.read()
                if image is not None:
                    self._offer(image)
                elif self._grabber.finite or not self._reconnect():
                    break
        except SourceError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - the top of a thread
            error = SourceError(f"reading {self.name} failed: {redact(str(failure))}")
        finally:
            self._grabber.close()
            with self._ready:
                self._error, self._ended = error, True
                self._ready.notify_all()

    def _reconnect(self) -> bool:
        """Open the source again; False when asked to stop meanwhile."""
        self._grabber.close()
        pause = BACKOFF_S
        for _ in range(self._reconnects):
            if self._stop.wait(pause * random.uniform(0.75, 1.25)):
                return False
            pause = min(2 * pause, LONGEST_BACKOFF_S)
            try:
                self._grabber = _connect(self._spec)
            except SourceError:
                continue
            return True
        raise SourceError(
            f"{self.name} was lost and did not come back in {self._reconnects} attempts: "
            "check the cable, the network or the sender"
        )


def _connect(spec: str) -> _Grabber:
    if spec.isdecimal() or spec.startswith("/dev/"):
        return _DeviceGrabber(spec)
    return _AddressGrabber(spec)


class _DeviceGrabber:
    """A local camera through OpenCV."""

    def __init__(self, spec: str) -> None:
        self.finite = False
        if sys.platform == "linux":
            device = Path(f"/dev/video{spec}" if spec.isdecimal() else spec)
            if not device.exists():
                there = sorted(str(p) for p in Path("/dev").glob("video*"))
                found = f"found {', '.join(there)}" if there else "no camera found"
                raise SourceNotFound(f"no camera at {device}: {found}; plug one in or name another")
        self._capture = cv2.VideoCapture(int(spec) if spec.isdecimal() else spec)
        if not self._capture.isOpened():
            raise SourceError(
                f"camera {spec} cannot be opened: another program may use it, "
                "or you may not read it (on Linux: the group 'video')"
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps: Fraction | float | None = rate if 1 <= rate <= 1000 else None

    def read(self) -> Image | None:
        ok, image = self._capture.read()
        return np.asarray(image, np.uint8) if ok and image is not None else None

    def close(self) -> None:
        self._capture.release()


class _AddressGrabber:
    """A network stream through FFmpeg; RTSP over TCP, every wait bounded."""

    def __init__(self, spec: str) -> None:
        options = {"rtsp_transport": "tcp"} if spec.startswith("rtsp") else {}
        name = redact(spec)
        try:
            self._container: Any = av.open(
                spec, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)
            )
        except (av.error.FFmpegError, OSError) as error:
            kind = SourceNotFound if isinstance(error, FileNotFoundError) else SourceError
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise kind(f"{name} cannot be opened: {redact(str(reason))}; check it") from error
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f"{name} has no video stream: give a stream with a picture")
        stream = self._container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would hold pictures back
        self.finite = bool(self._container.duration)
        self.fps: Fraction | float | None = stream.average_rate or stream.guessed_rate
        self._to_bgr = ToBgr()
        self._pictures = self._decode(stream)

    def _decode(self, stream: Any) -> Iterator[Any]:
        for packet in self._container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def read(self) -> Image | None:
        try:
            picture = next(self._pictures, None)
        except av.error.FFmpegError:
            return None
        return None if picture is None else self._to_bgr(picture)

    def close(self) -> None:
        self._container.close()
