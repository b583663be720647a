"""Pictures of a container that FFmpeg reads: a network stream, stdin, the screen."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import av

from posetrack.errors import SourceError
from posetrack.media.colour import ToBgr
from posetrack.media.live.addresses import Address
from posetrack.media.live.damage import Damage
from posetrack.media.live.settings import LiveSettings
from posetrack.media.tags import TOLERANT
from posetrack.types import Image

FORMATS = (
    "rtsp,hls,mpegts,mov,matroska,flv,avi,ogg,asf,mpjpeg,mjpeg,jpeg_pipe,png_pipe,h264,hevc,m4v,"
    "ivf,obu,mpeg,mpegvideo,nut,yuv4mpegpipe,aac,mp3,webvtt"
)
"""FFmpeg's demuxers that data from outside may choose: none that opens other files, but for HLS,
whose addresses ``protocol_whitelist`` bounds."""

GUARD = {
    "format_whitelist": FORMATS,
    # A transport stream may give its picture another number; it is the same stream for us.
    "merge_pmt_versions": "1",
    # Twenty pictures would be waited for to count their rate, at every opening.
    "fpsprobesize": "0",
}
"""FFmpeg's options for whatever comes from outside."""

_LATE = "no answer within the time allowed"


class StreamConnection:
    """The first video stream of a container; see `Connection`.

    Args:
        opened: the container, or why FFmpeg could not open it.
        finite: the end of its data is the end of it; None where that depends on whether it has a
            length.

    Raises:
        SourceError: not opened, or without a picture.
    """

    def __init__(
        self, opened: Any, address: Address, settings: LiveSettings, *, finite: bool | None = None
    ) -> None:
        if isinstance(opened, str):
            raise SourceError(f"{address.name} cannot be opened: {address.hide(opened)}")
        if not opened.streams.video:
            opened.close()
            raise SourceError(f"{address.name} has no video stream: give a stream with a picture")
        self._container, self._address = opened, address
        self._patience_s = settings.read_timeout_s
        stream = opened.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would hold pictures back
        has_length = bool(opened.duration)
        self.finite = has_length if finite is None else finite
        bursts = has_length or opened.format.name == "hls"
        self.paced = bursts if settings.pace is None else settings.pace
        rate = stream.average_rate or stream.guessed_rate
        self.fps: float | None = float(rate) if rate else None
        self.codec: str | None = stream.codec_context.name
        self.stamp_s: float | None = None
        self._to_bgr, self._damage = ToBgr(), Damage()
        self._pictures = self._decode(stream)

    def _decode(self, stream: Any) -> Generator[Any]:
        """Pictures; None for data that gave none, so that the reader can look at the clock."""
        for packet in self._container.demux():  # all streams: there may be nothing but sound
            pictures: list[Any] = []
            if packet.stream is stream:
                with suppress(av.error.FFmpegError):  # damaged; a later key frame mends it
                    pictures = packet.decode()
                self._damage.note(bad=not pictures or pictures[0].is_corrupt)
            yield from pictures or (None,)

    def read(self) -> Image | None:
        """The next picture; None at the end."""
        picture = self._next()
        if isinstance(picture, str):
            raise SourceError(f"{self._address.name} was lost: {self._address.hide(picture)}")
        if picture is None:
            return None
        self.stamp_s = picture.time
        return self._to_bgr(picture)

    def _next(self) -> Any:
        """A decoded picture, None at the end, or why there is none.

        FFmpeg's exceptions hold the whole address, so none is let out, not even as a cause.
        """
        begin = time.perf_counter()
        try:
            for picture in self._pictures:
                # Also with a picture: where nothing came in time, FFmpeg first gives one it had
                # kept back, and would then wait once more.
                if time.perf_counter() - begin > self._patience_s:
                    return f"no picture for {self._patience_s:g} s"
                if self._damage.is_too_much():
                    return "most of what comes cannot be decoded, as if the codec had changed"
                if picture is not None:
                    return picture
        except (av.error.FFmpegError, OSError, ValueError) as error:
            return reason_of(error)
        return None

    def close(self) -> None:
        """Close the container and its sockets."""
        self._pictures.close()
        self._container.close()


def open_container(file: Any, settings: LiveSettings, **more: Any) -> Any:
    """The container, or why it cannot be opened."""
    begin = time.perf_counter()
    try:
        return av.open(
            file,
            timeout=(settings.open_timeout_s, settings.read_timeout_s),
            **TOLERANT,
            **more,
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # Interrupted in the middle of RTSP's questions, FFmpeg calls the answer invalid.
        late = time.perf_counter() - begin >= settings.open_timeout_s
        return _LATE if late else reason_of(error)


def reason_of(error: BaseException) -> str:
    """What FFmpeg means, in words."""
    if isinstance(error, av.error.ExitError):
        return _LATE
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "this FFmpeg does not speak the protocol, or may not follow where it leads"
    if isinstance(error, av.error.InvalidDataError):
        return "what comes is no video that may be read here"
    return str(getattr(error, "strerror", None) or type(error).__name__)
