"""Recordings of streams: video and records under the media root, within a quota."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from posetrack.cli.session import make_painter
from posetrack.errors import ConfigError, PosetrackError, SinkError
from posetrack.media.sink import Sink
from posetrack.media.source import Kind
from posetrack.media.video import VideoSink
from posetrack.records import Header, RecordWriter
from posetrack.serve.hub import Hub, Item, Subscription
from posetrack.serve.logs import log
from posetrack.serve.message import Published
from posetrack.serve.metrics import Metrics
from posetrack.serve.redaction import redacted
from posetrack.serve.settings import MediaSettings, StreamSettings
from posetrack.serve.stream import Stream

FOLDER = "recordings"
_NAME = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?\.(?:mp4|jsonl)")
_QUEUE = 16
_CHECK_S = 1.0
_FIRST_FRAME_S = 10.0


class NoRecordings(ConfigError):
    """The daemon was given no place for them."""


class Busy(ConfigError):
    """A recording is going on, or none is."""


class QuotaSpent(SinkError):
    """There is no room left."""


@dataclass(frozen=True, slots=True)
class RecordedSource:
    """What a `VideoSink` asks of a source, of frames that come from a stream."""

    name: str
    size: tuple[int, int]
    fps: float
    kind: Kind = "live"
    path: Path | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    is_live: bool = True
    has_audio: bool = False
    time_base: Fraction = Fraction(1, 90_000)
    time_scale: float = 1.0
    zero_s: float = 0.0
    sample_aspect: Fraction = Fraction(1)


class Recorder:
    """Writes one stream until it is stopped, the time is over, or the quota is spent.

    It listens like any other client, so a slow disk loses frames of the recording and nothing else.
    """

    def __init__(
        self,
        stream: Stream,
        listening: Subscription,
        paths: list[Path],
        *,
        drawn: bool,
        longest_s: float,
        room_bytes: int,
    ) -> None:
        self.stream, self.paths = stream, paths
        self.began = time.time()
        self.ended: str | None = None
        self.frames = 0
        self._listening, self._drawn = listening, drawn
        self._longest_s, self._room_bytes = longest_s, room_bytes
        self._settings: StreamSettings = stream.settings
        self._thread = Thread(target=self._main, name=f"record-{stream.id}", daemon=True)

    @property
    def dropped(self) -> int:
        """Frames there was no time to write."""
        return self._listening.ring.dropped

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Finalise the files; whether that was done in time."""
        self._listening.ring.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def shown(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "stream": self.stream.id,
            "files": [path.name for path in self.paths],
            "began": round(self.began, 3),
            "frames": self.frames,
            "dropped": self.dropped,
            "ended": self.ended,
        }

    def _main(self) -> None:
        try:
            self.ended = self._record()
        except PosetrackError as error:
            self.ended = redacted(str(error))
            log.warning("recording failed: %s", error, extra={"stream": self.stream.id})
        except Exception as error:  # noqa: BLE001 - the top of a thread
            self.ended = f"internal error, {type(error).__name__}"
            log.exception("recording failed", extra={"stream": self.stream.id})
        self._listening.ring.close()

    def _record(self) -> str:
        """Why it ended."""
        ring = self._listening.ring
        first = ring.take(_FIRST_FRAME_S)
        if first is None:
            return "no frame came"
        assert isinstance(first.content, Published)
        sinks = self._sinks(first.content)
        painter = make_painter(self._settings.run_config(), self._threshold())
        picture_of = painter if self._drawn else painter.plain
        with ExitStack() as stack:
            for sink in sinks:
                stack.callback(sink.abort)
                sink.open()
            checked = 0.0
            why: str | None = None
            item: Item | None = first
            while why is None:
                if item is not None:
                    assert isinstance(item.content, Published)
                    result = item.content.result
                    image = picture_of(result)
                    for sink in sinks:
                        sink.write(result, image)
                    self.frames += 1
                if (now := time.monotonic()) - checked > _CHECK_S:
                    checked, why = now, self._over()
                item = ring.take(0.5)
                if item is None and ring.closed:
                    why = why or "stopped"
            for sink in sinks:
                sink.finish()
        return why

    def _over(self) -> str | None:
        if time.time() - self.began > self._longest_s:
            return "the time is over"
        size = sum(_size(path.with_name(path.name + ".part")) for path in self.paths)
        return "the quota is spent" if size > self._room_bytes else None

    def _threshold(self) -> float | None:
        value = self._settings.tracker.get("keypoint_threshold")
        return float(value) if value is not None else None

    def _sinks(self, first: Published) -> list[Sink]:
        result = first.result
        fps = self.stream.figures.shown()["fps"] or 25.0
        source = RecordedSource(self.stream.id, result.frame.size, fps)
        skeleton = result.tracks.poses.skeleton
        header = Header(self.stream.id, source.size, fps, skeleton)
        made: list[Sink] = []
        for path in self.paths:
            if path.suffix == ".mp4":
                made.append(VideoSink(path, source, threads=1))  # type: ignore[arg-type]
            else:
                made.append(RecordWriter(path, header))
        return made


class Recordings:
    """Every recording, running or done."""

    def __init__(self, media: MediaSettings, hub: Hub, metrics: Metrics) -> None:
        self._media, self._hub, self._metrics = media, hub, metrics
        self._running: dict[str, tuple[Recorder, ExitStack]] = {}
        self._last: dict[str, Recorder] = {}
        self._lock = Lock()

    def start(self, stream: Stream, *, drawn: bool, video: bool, records: bool) -> Recorder:
        """Record a stream from its next frame on.

        Raises:
            NoRecordings: there is no media root. QuotaSpent: there is no room.
            Busy: it is being recorded. ConfigError: nothing is asked for.
        """
        folder = self._folder() / stream.id
        kinds = [suffix for suffix, wanted in ((".mp4", video), (".jsonl", records)) if wanted]
        if not kinds:
            raise ConfigError("nothing to record: ask for video, records or both")
        with self._lock:
            self._reap()
            if stream.id in self._running:
                raise Busy(f"stream {stream.id!r} is being recorded: stop that first")
            room = self._media.quota_mb * 1_000_000 - self.used_bytes()
            if room <= 0:
                raise QuotaSpent(
                    f"recordings fill their {self._media.quota_mb} MB: delete some of them"
                )
            stem = _free_stem(folder, kinds)
            with ExitStack() as stack:
                listening = stack.enter_context(
                    self._hub.subscription("recording", ["frames"], [stream.id], capacity=_QUEUE)
                )
                recorder = Recorder(
                    stream,
                    listening,
                    [folder / f"{stem}{suffix}" for suffix in kinds],
                    drawn=drawn,
                    longest_s=self._media.recording_s,
                    room_bytes=room,
                )
                self._running[stream.id] = (recorder, stack.pop_all())
            recorder.start()
        return recorder

    def stop(self, stream: str) -> Recorder:
        """Finalise the recording of a stream. Raises Busy where there is none."""
        with self._lock:
            found = self._running.pop(stream, None)
        if found is None:
            raise Busy(f"stream {stream!r} is not being recorded")
        recorder, stack = found
        with stack:
            recorder.stop()
        self._done(stream, recorder)
        return recorder

    def stop_all(self, deadline_s: float) -> None:
        """Finalise every recording, all of them within so long."""
        with self._lock:
            recorders = [recorder for recorder, _ in self._running.values()]
        for recorder in recorders:
            recorder.stop(0)
        until = time.monotonic() + deadline_s
        for recorder in recorders:
            if not recorder.stop(max(0.0, until - time.monotonic())):
                log.error("a recording did not end in time", extra={"stream": recorder.stream.id})
        with self._lock:
            self._reap()

    def newest(self, stream: str) -> Recorder | None:
        """The recording under way, or the last one since the daemon began."""
        with self._lock:
            self._reap()
            found = self._running.get(stream)
            return self._last.get(stream) if found is None else found[0]

    def files(self, stream: str) -> list[dict[str, Any]]:
        """What is there of a stream, the newest first."""
        return sorted(
            (
                {"name": path.name, "bytes": _size(path), "at": round(path.stat().st_mtime, 3)}
                for path in self._of(stream)
            ),
            key=lambda row: str(row["name"]),
            reverse=True,
        )

    def path(self, stream: str, name: str) -> Path:
        """A finished file. Raises FileNotFoundError for anything that is none."""
        for path in self._of(stream):  # a name is compared, and never made a path of
            if path.name == name:
                return path
        raise FileNotFoundError(f"there is no recording {name!r} of stream {stream!r}")

    def delete(self, stream: str, name: str) -> None:
        """Remove a finished file. Raises FileNotFoundError."""
        self.path(stream, name).unlink()

    def used_bytes(self) -> int:
        """What all recordings take."""
        folder = self._folder()
        return sum(_size(path) for path in folder.glob("*/*") if path.is_file())

    def _folder(self) -> Path:
        if self._media.root is None:
            raise NoRecordings("there is no place for recordings: set media.root in the file")
        return Path(self._media.root) / FOLDER

    def _of(self, stream: str) -> Iterator[Path]:
        folder = self._folder() / stream
        if not folder.is_dir():
            return
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                yield path

    def _reap(self) -> None:
        """Let go of recordings that ended by themselves."""
        for name in [n for n, (recorder, _) in self._running.items() if recorder.ended]:
            recorder, stack = self._running.pop(name)
            stack.close()
            self._done(name, recorder)

    def _done(self, stream: str, recorder: Recorder) -> None:
        self._last[stream] = recorder
        self._metrics.dropped.labels(stream, "recording").inc(recorder.dropped)


def _free_stem(folder: Path, suffixes: list[str]) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1000):
        stem = stamp if not number else f"{stamp}-{number}"
        if not any((folder / f"{stem}{suffix}").exists() for suffix in suffixes):
            return stem
    raise SinkError(f"{folder} holds a thousand recordings of this second: wait")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
