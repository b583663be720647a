"""Video files, decoded by PyAV: true time stamps, rotation applied, damage survived."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from posetrack.errors import SourceError, SourceNotFound
from posetrack.media.colour import ToBgr
from posetrack.media.orientation import UPRIGHT, Orientation
from posetrack.media.source import ClosesItself, Kind
from posetrack.media.tags import TOLERANT
from posetrack.types import Frame

SLICE_LIMIT_PX = 1920 * 1088
"""Up to this size one decoder thread outruns the networks, and slice threads cost no latency."""


class FileSource(ClosesItself):
    """A video file; see `Source` for the attributes and `open_source` for the arguments.

    A file that breaks off gives the frames before the break and then says so in `warning`.
    """

    def __init__(
        self,
        path: Path,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
        stride: int = 1,
        capture_fps: float | None = None,
        flip: bool = False,
        threads: int | None = None,
    ) -> None:
        self.path: Path | None = path
        self._path = path
        self.name = path.name
        self.kind: Kind = "video"
        self.is_live = False
        self.dropped = 0
        self.warning: str | None = None
        self._threads, self._flip = threads, flip
        self._open(path)
        try:
            self._read_rates(stride, capture_fps)
            self._start_s, self._stride = start_s, stride
            self._stop_s = None if duration_s is None else start_s + duration_s
            self._set_lengths()
            self._begin()
        except BaseException:
            self._container.close()
            raise
        self._frames = self._read()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self._frames.close()
        # Suspended it would hold the decoder, and this source it, until Python looks for cycles.
        self._decoded.close()
        self._container.close()

    def _open(self, path: Path) -> None:
        self._container = _open(path)
        try:
            self._stream = _video_stream(self._container, path)
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = _thread_type(self._stream)
        if self._threads is not None:
            self._stream.codec_context.thread_count = self._threads

    def _read_rates(self, stride: int, capture_fps: float | None) -> None:
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self._file_fps = Fraction(rate)
        self.time_base = Fraction(stream.time_base)
        self.time_scale = float(self._file_fps) / capture_fps if capture_fps else 1.0
        fps = self._file_fps if capture_fps is None else Fraction(capture_fps)
        self.fps: Fraction | float = fps / stride
        self.has_audio = bool(self._container.streams.audio)

    def _set_lengths(self) -> None:
        stream = self._stream
        self._length_s = _length(stream)
        self._length_is_sure = self._length_s is not None or len(self._container.streams) == 1
        if self._length_s is None and self._container.duration:
            self._length_s = self._container.duration / 1_000_000
        if self._container.format.name == "avi" and stream.frames:
            # The duration of an AVI is guessed from the bytes there are, also when it is cut.
            self._length_s = float(stream.frames / self._file_fps)
        self.duration_s: float | None = None
        self.frame_count: int | None = None
        if self._length_s is None:
            return
        total = stream.frames or round(self._length_s * self._file_fps)
        end_s = min(self._length_s, self._stop_s or self._length_s)
        seconds = max(end_s - self._start_s, 0.0)
        share = 1.0 if seconds == self._length_s else seconds / self._length_s
        self.duration_s = seconds * self.time_scale
        self.frame_count = -(-round(total * share) // self._stride)

    def _begin(self) -> None:
        """Decode the first frame wanted: it tells the size, and that there is one."""
        self._damaged, self._broken = 0, ""
        self._zero: int | None = None
        self._earlier: list[int] = []
        wanted_s, self._start_s = self._start_s, 0.0
        self._first = self._restart()  # its time stamp is where time begins
        if self._first is not None and wanted_s > 0:
            self._start_s = wanted_s
            self._earlier = self._skip_ahead()
            self._first = self._restart()
            if self._first is None and self._earlier:  # the index led past the last key frame
                self._first = self._rewind()
        if self._first is None:
            raise SourceError(self._why_empty())
        self.zero_s = float((self._zero or 0) * self.time_base)
        picture = self._first[0]
        self._orientation = _orientation(picture)
        if self._flip:
            self._orientation = self._orientation.mirrored()
        self.size = self._orientation.size((picture.width, picture.height))
        aspect = Fraction(self._stream.sample_aspect_ratio or 1)
        self.sample_aspect = 1 / aspect if self._orientation.transpose else aspect
        self._to_bgr = ToBgr()

    def _restart(self) -> tuple[Any, float] | None:
        """The first frame wanted, decoding from where the container stands."""
        self._index, self._last_s = -1, -float("inf")
        self._decoded = self._decode()
        first = next(self._decoded, None)
        if first is not None and self._index > self._before_start():
            return self._rewind()  # the seek landed late, as it may in transport streams
        return first

    def _rewind(self) -> tuple[Any, float] | None:
        """The first frame wanted, decoding from the beginning of the file."""
        self._earlier = []
        self._reopen()
        return self._restart()

    def _reopen(self) -> None:
        self._container.close()
        self._open(self._path)

    def _skip_ahead(self) -> list[int]:
        """Seek to the key frame before the start; the time stamps up to it, in order.

        The packets are read (not decoded) up to there, so that frames keep their true index.
        Empty where the file has no usable time stamps: it is then decoded from the beginning.
        """
        self._reopen()
        stream, zero = self._stream, self._zero or 0
        wanted = zero + int(self._start_s / self.time_base)
        stamps = []
        for packet in self._container.demux(stream):
            if packet.pts is not None and not packet.is_discard:
                stamps.append(packet.pts)
            if packet.dts is not None and packet.dts > wanted:
                break
        try:
            self._container.seek(wanted, stream=stream, backward=True)
        except av.error.FFmpegError:
            stamps = []
        if not stamps:
            self._reopen()
        return sorted(stamps)

    def _before_start(self) -> int | float:
        """How many frames lie before the start, as far as the packets told."""
        if not self._earlier:
            return float("inf")
        zero = self._stream.start_time or 0
        return bisect_left(
            self._earlier,
            self._start_s - 1e-9,
            key=lambda pts: float((pts - zero) * self.time_base),
        )

    def _why_empty(self) -> str:
        if self._start_s > 0:
            length = "" if self._length_s is None else f" of {self._length_s:.3f} s"
            return f"{self.path} has no frame at or after start {self._start_s:g} s{length}"
        if self._damaged or self._broken:
            return f"{self.path} has a video stream but none of it can be decoded: it is damaged"
        return f"{self.path} has a video stream without frames: nothing to do"

    def _decode(self) -> Generator[tuple[Any, float]]:
        """Decoded frames and their media seconds, from the start wanted to the end wanted."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    pictures = packet.decode()
                except (av.error.InvalidDataError, av.error.PatchWelcomeError):
                    self._damaged += 1
                    continue
                for picture in pictures:
                    self._last_s = seconds = self._seconds(picture)
                    if self._index < 0 and self._earlier and picture.pts is not None:
                        self._index = bisect_left(self._earlier, picture.pts) - 1
                    self._index += 1
                    if seconds + 1e-9 < self._start_s:
                        continue
                    if self._stop_s is not None and seconds + 1e-9 >= self._stop_s:
                        return
                    yield picture, seconds
        except av.error.FFmpegError as error:
            self._broken = str(error)
        self._end_s = self._last_s + 1 / float(self._file_fps)
        self._judge_end()

    def _seconds(self, picture: Any) -> float:
        """Media seconds of a frame; a missing or running-back time stamp is mended."""
        step = 1 / float(self._file_fps)
        if picture.pts is None:
            return max(self._last_s + step, 0.0)
        if self._zero is None:
            self._zero = picture.pts
        seconds = float((picture.pts - self._zero) * self.time_base)
        return seconds if seconds > self._last_s else self._last_s + step

    def _judge_end(self) -> None:
        """Say in `warning` what the end of the file shows to be wrong."""
        short_s = 0.0
        if self._length_s is not None and self._length_is_sure and not self._has_all_frames():
            short_s = self._length_s - self._end_s
        if self._broken or short_s > max(0.5, 3 / float(self._file_fps)):
            total = "" if self._length_s is None else f" of {self._length_s:.2f} s"
            self.warning = (
                f"{self.name} breaks off at {max(self._end_s, 0):.2f} s{total}: "
                "the file is cut or damaged, the frames before the break were used"
            )
        elif self._damaged:
            self.warning = f"{self.name} has {self._damaged} damaged packets: they were skipped"

    def _has_all_frames(self) -> bool:
        return 0 < int(self._stream.frames) <= self._index + 1

    def _read(self) -> Generator[Frame]:
        assert self._first is not None
        entry: tuple[Any, float] | None = self._first
        first_index, self._first = self._index, None
        while entry is not None:
            if (self._index - first_index) % self._stride == 0:
                yield self._frame(*entry)
            entry = next(self._decoded, None)

    def _frame(self, picture: Any, seconds: float) -> Frame:
        image = self._orientation.apply(self._to_bgr(picture))
        return Frame(
            image=image,
            index=self._index,
            pts_s=seconds * self.time_scale,
            captured_at=time.perf_counter(),
            source=self.name,
        )


def _open(path: Path) -> Any:
    """The opened container, or one line that says why not."""
    if not path.exists():
        raise SourceNotFound(f"no such file: {path}; check the path")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes): nothing to read")
    try:
        return av.open(str(path), **TOLERANT)
    except av.error.PermissionError as error:
        raise SourceError(f"{path} may not be read: {error.strerror}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise SourceError(
            f"{path} is not a video that can be read "
            f"({getattr(error, 'strerror', None) or error}): "
            "it is of another kind, or cut off before its index was written"
        ) from error


def _video_stream(container: Any, path: Path) -> Any:
    """The first video stream that is not a cover picture."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        has = "sound only" if container.streams.audio else "no video stream"
        raise SourceError(f"{path} has {has}: give a file with a picture")
    stream = streams[0]
    if stream.codec_context is None:
        raise SourceError(f"{path} uses a video codec this PyAV cannot decode: convert it first")
    return stream


def _length(stream: Any) -> float | None:
    """Seconds of a stream, or None where only the whole file has a length."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska
    if tag is None:
        return None
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) or None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _thread_type(stream: Any) -> str:
    return "SLICE" if stream.width * stream.height <= SLICE_LIMIT_PX else "AUTO"


def _orientation(picture: Any) -> Orientation:
    # By name: iterating gives the entries before PyAV 19, and their kinds from then on.
    matrix = picture.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else Orientation.from_display_matrix(bytes(matrix))
