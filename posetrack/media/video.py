"""Pictures encoded as an H.264 video, with the sound of the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from posetrack.errors import SinkError
from posetrack.media.audio import AudioCopy
from posetrack.media.colour import BT601, encoder_frame, even
from posetrack.media.part import PartFile
from posetrack.media.source import Source
from posetrack.types import Image, Result

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".ts": "mpegts",
}
_IN_PIECES = {"movflags": "hybrid_fragmented+delay_moov"}
MUXERS = {"mp4": _IN_PIECES, "mov": _IN_PIECES}
"""These are written in pieces, one from key frame to key frame, so that what a killed process or a
power failure leaves is a video; at the end they become ordinary files."""
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower")
SINGLE_THREAD_PX = 1280 * 720


class VideoSink:
    """Encodes pictures; H.264 in yuv420p, which plays everywhere.

    Time stamps are those of the source, starting at 0: a variable frame rate stays one. Slow
    motion plays at the speed of its file. Sound is copied where there is any and it fits.

    Args:
        path: final name; the suffix chooses the container (.mp4, .m4v, .mov, .mkv, .ts).
        source: gives size, rate, time base, pixel aspect and sound.
        preset: x264's; slower ones make smaller files of the same quality.
        crf: x264's constant quality, 0 (lossless) to 51.
        size: (width, height) of the output; the source's by default.
        audio: whether to keep the sound.
        threads: of the encoder; None is one for small pictures, else its own choice.

    Attributes:
        warning: one line about the sound that could not be kept; None if nothing was lost.

    Raises:
        SinkError: a container that is not known.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        *,
        preset: str = "ultrafast",
        crf: int = 23,
        size: tuple[int, int] | None = None,
        audio: bool = True,
        threads: int | None = None,
    ) -> None:
        if path.suffix.lower() not in CONTAINERS:
            raise SinkError(
                f"output {path} has no known video suffix: use one of {', '.join(CONTAINERS)}"
            )
        if preset not in PRESETS:
            raise SinkError(f"preset {preset!r} is unknown: use one of {', '.join(PRESETS)}")
        self.path = path
        self.warning: str | None = None
        self._source = source
        self._options = {"preset": preset, "crf": str(crf)}
        self._size = size or source.size
        self._keep_audio = audio
        self._threads = threads
        self._part: PartFile | None = None
        self._container: Any = None
        self._audio: AudioCopy | None = None
        self._origin_s: float | None = None
        self._last_pts = -1

    def open(self) -> None:
        """Create the file and the encoder."""
        self._part = PartFile(self.path, source=self._source.path)
        try:
            kind = CONTAINERS[self.path.suffix.lower()]
            self._container = av.open(self._part, "w", format=kind, options=MUXERS.get(kind, {}))
            self._add_video()
            if self._keep_audio and self._source.has_audio and self._source.path is not None:
                self._audio = AudioCopy(self._source.path, self._container)
                self.warning = self._audio.warning
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            raise self._part.failure(error) from error

    def _add_video(self) -> None:
        source = self._source
        self._rate = Fraction(source.fps).limit_denominator(100_000)
        if source.time_scale != 1:
            self._rate = (self._rate * Fraction(source.time_scale)).limit_denominator(100_000)
        width, height = even(self._size)
        stream = self._container.add_stream("libx264", rate=self._rate, options=self._options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = source.time_base
        context.sample_aspect_ratio = source.sample_aspect
        context.colorspace, context.color_range = BT601, 1
        context.thread_count = 1 if width * height <= SINGLE_THREAD_PX else self._threads or 0
        self._stream, self._unit = stream, source.time_base
        self._step = max(1, round(1 / (self._rate * self._unit)))

    def write(self, result: Result, image: Image, /) -> None:
        """Encode `image` at the time of `result`."""
        frame = encoder_frame(fit(image, self._size))
        media_s = result.frame.pts_s / self._source.time_scale
        if self._origin_s is None:
            self._origin_s = media_s
            if self._audio is not None:
                self._audio.begin(self._source.zero_s + media_s, at_start=media_s <= 0)
        pts = round((media_s - self._origin_s) / self._unit)
        pts = max(pts, self._last_pts + 1)  # two frames within one tick of the time base
        self._last_pts = frame.pts = pts
        frame.time_base = self._unit
        try:
            self._mux(self._stream.encode(frame))
            if self._audio is not None:
                self._audio.copy_until(float(pts * self._unit))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = self._step  # the last frame has no successor to tell its length
            self._container.mux(packet)

    def _failure(self, error: BaseException) -> SinkError:
        assert self._part is not None
        return self._part.failure(self._part.error or error)

    def finish(self) -> None:
        """Flush the encoder and give the file its name; without a frame there is no file."""
        if self._part is None:
            return
        if self._origin_s is None:
            self.abort()
            return
        try:
            self._mux(self._stream.encode(None))
            if self._audio is not None:
                self._audio.copy_until(float((self._last_pts + self._step) * self._unit))
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            failure = self._failure(error)
            self.abort()
            raise failure from error
        part, self._part = self._part, None
        self._close_audio()
        part.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._part is None:
            return
        part, self._part = self._part, None
        if self._container is not None:
            try:
                self._container.close()
            except (av.error.FFmpegError, OSError) as error:  # the disk may be why we are here
                part.error = part.error or OSError(str(error))
        self._close_audio()
        part.discard()

    def _close_audio(self) -> None:
        if self._audio is not None:
            self._audio.close()


def fit(image: Image, size: tuple[int, int]) -> Image:
    """`image` itself where it has (width, height) `size`, else scaled into it on black."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    ratio = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * ratio)), max(1, round(height * ratio))
    how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    cv2.resize(
        image, inner, dst=canvas[top : top + inner[1], left : left + inner[0]], interpolation=how
    )
    return canvas
