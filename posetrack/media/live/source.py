"""The newest frame of a live source, through losses of the connection."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posetrack.errors import SourceError
from posetrack.media.live.addresses import Address, parse_address
from posetrack.media.live.connection import Connection, open_connection
from posetrack.media.live.pace import Pace
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.state import State, Status
from posetrack.media.source import ClosesItself, Kind
from posetrack.media.video import fit
from posetrack.types import Frame, Image

NOMINAL_FPS = 30.0
_OVER = ("failed", "ended")


class LiveSource(ClosesItself):
    """A camera, a stream by address, stdin or a screen; see `Source`.

    Making one never waits: a thread opens it and reads without pause. Whoever iterates gets the
    newest frame; frames nobody took are counted in `dropped` (their places in `Frame.index` stay
    empty). `Frame.pts_s` is the time since the first picture came; it and the index go on when
    the connection was lost and opened again, whatever codec or size the pictures then have.

    With ``settings.reconnects`` None it is opened again for ever, also where it was not there at
    the start; with a number, the first opening has one attempt, and each loss so many. Given up,
    iterating raises SourceError.

    Several are independent of each other.

    Args:
        spec: as `parse_address` takes it.
        settings: how it is opened, watched and opened again.
        name: what frames and messages call it; the address without passwords by default.
        stride: take every n-th frame.
        flip: mirror every picture left to right.
        size: (width, height) that pictures are fitted into instead of the first one's (with
            ``settings.keep_size``): that of the source this one goes on from.
        on_status: called after each change of state, from one of two threads; it must not wait.

    Attributes:
        size: (width, height) of the first picture; (0, 0) until it has come. Pictures of
            another size are fitted into it, so that coordinates keep their meaning (unless
            ``settings.keep_size`` is false); `status.size` is what comes now.
        dropped: frames read but never given out.

    Raises:
        ConfigError: `spec` names no live source.
    """

    kind: Kind = "live"
    path: Path | None = None
    is_live = True
    has_audio = False
    frame_count: int | None = None
    duration_s: float | None = None
    time_base = Fraction(1, 90_000)
    time_scale = 1.0
    zero_s = 0.0
    sample_aspect = Fraction(1)
    warning: str | None = None

    def __init__(
        self,
        spec: str,
        settings: LiveSettings | None = None,
        *,
        name: str | None = None,
        stride: int = 1,
        flip: bool = False,
        size: tuple[int, int] | None = None,
        on_status: Callable[[Status], None] | None = None,
    ) -> None:
        self.address: Address = parse_address(spec)
        self.name = self.address.name if name is None else name
        self.size = (0, 0) if size is None else size
        self.fps: Fraction | float = NOMINAL_FPS / stride
        self.dropped = 0
        self._settings = LiveSettings() if settings is None else settings
        self._stride, self._flip, self._on_status = stride, flip, on_status
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._error: SourceError | None = None
        self._stop = threading.Event()
        self._count = 0
        self._began = self._picture_at = time.perf_counter()
        self._status = Status("connecting", self._began)
        self._frames = self._read()
        self._thread = threading.Thread(target=self._grab, name="grab", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """What it is doing now."""
        self._notice_stall()
        return self._status

    @property
    def state(self) -> State:
        """The state alone."""
        return self.status.state

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the first picture has come, waiting for it so long at most.

        Raises:
            SourceError: it was given up before.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._count or self._is_over(), timeout_s)
        if not self._count and self._error is not None:
            raise _anew(self._error)
        return self._count > 0

    def stop(self) -> None:
        """End the iteration, at once and from any thread; the newest frame is still given out."""
        self._stop.set()
        self._become("ended")

    def close(self) -> None:
        """Stop, and wait until the connection is given back.

        That takes as long as a read or an opening under way: at most ``read_timeout_s`` or
        ``open_timeout_s`` and a second.
        """
        self.stop()
        if threading.current_thread() is not self._thread:
            longest_s = max(self._settings.read_timeout_s, self._settings.open_timeout_s)
            self._thread.join(longest_s + 1)

    def _is_over(self) -> bool:
        return self._status.state in _OVER

    def _read(self) -> Generator[Frame]:
        while True:
            with self._changed:
                # Whoever waits for pictures notices first that none come.
                while not self._changed.wait_for(
                    lambda: self._newest is not None or self._is_over(), self._settings.stall_s
                ):
                    self._notice_stall()
                frame, self._newest = self._newest, None
            if frame is None:
                if self._error is not None:
                    raise _anew(self._error)
                return
            yield frame

    def _become(self, state: State, error: str | None = None) -> None:
        """Change the state, unless it is over; `error` is why."""
        with self._changed:
            old = self._status
            if old.state in _OVER:
                return
            since = old.since if state == old.state else time.perf_counter()
            status = replace(old, state=state, since=since, error=error or old.error)
            self._status = status
            self._changed.notify_all()
        if self._on_status is not None and status != old:
            self._on_status(status)

    def _note(self, **changes: Any) -> None:
        """Change what else the status says."""
        with self._changed:
            self._status = replace(self._status, **changes)

    def _notice_stall(self) -> None:
        silent_s = time.perf_counter() - self._picture_at
        if self._status.state == "running" and silent_s > self._settings.stall_s:
            self._become("stalled", f"no picture for {self._settings.stall_s:g} s")

    def _grab(self) -> None:
        """The reading thread; whatever happens, it ends by waking the reader."""
        try:
            given_up = self._stay_connected()
            if given_up is None:
                self._become("ended")
            else:
                self._fail(given_up)
        except Exception as failure:  # noqa: BLE001 - the top of a thread
            what = self.address.hide(f"{type(failure).__name__}: {failure}")
            self._fail(SourceError(f"reading {self.name} failed: {what}"))

    def _fail(self, error: SourceError) -> None:
        """Give up; whoever iterates gets `error`, unless it was stopped before."""
        with self._changed:
            if not self._is_over():
                self._error = error
        self._become("failed", str(error))

    def _stay_connected(self) -> SourceError | None:
        """Open and read, again and again; why it was given up, None at the end and the stop."""
        while not self._stop.is_set():
            before = self._count
            failure: SourceError | None = None
            try:
                with closing(self._open()) as connection:
                    if self._deliver(connection):
                        return None
            except SourceError as error:
                failure = _anew(error)
            if self._stop.is_set():
                return None
            given_up = self._lost(failure, came=self._count > before)
            if given_up is not None:
                return given_up
        return None

    def _open(self) -> Connection:
        return open_connection(self.address, self._settings, self._stop.is_set)

    def _lost(self, failure: SourceError | None, *, came: bool) -> SourceError | None:
        """Say so and wait for the next attempt, or why it is given up."""
        reason = f"{self.name} ended" if failure is None else str(failure)
        attempts = 0 if came else self._status.attempts + 1
        self._note(attempts=attempts)
        most = self._settings.reconnects
        if most is not None and not self._count:
            return failure or SourceError(f"{self.name} opened but gives no picture: check it")
        if most == 0:
            return failure or SourceError(reason)
        if most is not None and attempts >= most:
            return SourceError(
                f"{self.name} was lost and did not come back in {most} attempts ({reason}): "
                "check the cable, the network or the sender"
            )
        self._become("stalled" if self._count else "connecting", reason)
        pause_s = self._settings.backoff_s * 2.0 ** min(attempts, 30)
        pause_s = min(pause_s, self._settings.longest_backoff_s)
        self._stop.wait(pause_s * random.uniform(0.75, 1.25))
        return None

    def _deliver(self, connection: Connection) -> bool:
        """Offer the pictures of one connection; whether its end is the end of the source."""
        pace: Pace | None = None
        while not self._stop.is_set():
            image = connection.read()
            if image is None and pace is None and connection.finite:
                raise SourceError(f"{self.name} has a video stream without pictures: nothing to do")
            if image is None:
                return connection.finite
            if pace is None:
                pace = Pace()
                self._connected(connection)
            if connection.paced and connection.stamp_s is not None:
                self._stop.wait(pace.early_s(connection.stamp_s, time.perf_counter()))
            self._offer(image)
        return True

    def _connected(self, connection: Connection) -> None:
        """Note what the first picture of a connection shows."""
        if not self._count:
            self.fps = (connection.fps or NOMINAL_FPS) / self._stride
        again = self._status.reconnects + (self._count > 0)
        self._note(reconnects=again, attempts=0, fps=connection.fps, codec=connection.codec)

    def _offer(self, image: Image) -> None:
        """Make `image` the newest frame; an older one that nobody took is dropped."""
        now = time.perf_counter()
        size = (image.shape[1], image.shape[0])
        if not self._count:
            self._began = now
            if self.size == (0, 0):
                self.size = size
        self._picture_at = now
        if self._status.size != size:
            self._note(size=size)
        index, self._count = self._count, self._count + 1
        if index % self._stride == 0:
            if self._settings.keep_size:
                image = fit(image, self.size)
            if self._flip:
                image = np.asarray(cv2.flip(image, 1), np.uint8)
            frame = Frame(image, index, now - self._began, now, self.name)
            with self._changed:
                self.dropped += self._newest is not None
                self._newest = frame
                self._changed.notify_all()
        if self._status.state != "running":
            self._become("running")


def _anew(error: SourceError) -> SourceError:
    """The same without its trace.

    That holds the frames of all calls it went through, and a frame or a source that keeps the error
    would then be kept by it, with the decoder and its pictures, until Python looks for cycles.
    """
    return type(error)(*error.args)


def open_live(spec: str, settings: LiveSettings | None = None, **options: Any) -> LiveSource:
    """A live source that has given its first picture; `options` as `LiveSource` takes them.

    Raises:
        ConfigError: `spec` names none. SourceError: it was given up.
    """
    source = LiveSource(spec, settings, **options)
    try:
        source.wait()
    except BaseException:
        source.close()
        raise
    return source
