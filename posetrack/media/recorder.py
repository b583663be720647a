"""Recording that can be started and stopped while a run goes on."""

from __future__ import annotations

from pathlib import Path

from posetrack.media.source import Source
from posetrack.media.video import VideoSink
from posetrack.types import Image, Result


class Recorder:
    """A sink that writes a new video each time it is switched on.

    The first has the name `path`, the next ones ``name-2.mp4`` and so on. No file that is there
    already is replaced, but by a video that begins with the run.

    Args:
        path: of the first video.
        source: gives rate and time base.
        size: (width, height) of the videos.
        on: whether the first begins with the run.

    Attributes:
        recording: whether the next frame will be recorded.
        written: the finished videos.
    """

    def __init__(
        self, path: Path, source: Source, *, size: tuple[int, int] | None = None, on: bool = True
    ) -> None:
        self.recording = on
        self.written: list[Path] = []
        self._path, self._source, self._size = path, source, size
        self._video: VideoSink | None = None
        self._replace = on

    def switch(self) -> None:
        """Begin or end a video, with the next frame; may be called from any thread."""
        self.recording = not self.recording

    def open(self) -> None:
        """Create the first file, where it begins with the run."""
        if self.recording:
            self._begin()

    def write(self, result: Result, image: Image, /) -> None:
        """Record one picture, if it is switched on."""
        if self.recording and self._video is None:
            self._begin()
        elif not self.recording and self._video is not None:
            self._end()
        if self._video is not None:
            self._video.write(result, image)

    def finish(self) -> None:
        """Complete the video at hand."""
        if self._video is not None:
            self._end()

    def abort(self) -> None:
        """Leave nothing of the video at hand; those before stay."""
        if self._video is not None:
            self._video.abort()
            self._video = None

    def _begin(self) -> None:
        path, number = self._path, 1
        while path.exists() and not (self._replace and not self.written):
            number += 1
            path = self._path.with_stem(f"{self._path.stem}-{number}")
        video = VideoSink(path, self._source, size=self._size, audio=False)
        video.open()
        self._video = video

    def _end(self) -> None:
        assert self._video is not None
        video, self._video = self._video, None
        video.finish()
        if video.path.exists():  # without a frame there is no file
            self.written.append(video.path)
