"""Images as a source: one, or a sequence of them, each a frame."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from posetrack.errors import SourceError
from posetrack.media.source import ClosesItself, Kind
from posetrack.types import Frame, Image

DEFAULT_FPS = 25


class ImageSource(ClosesItself):
    """Images in the order given; see `Source` for the attributes.

    EXIF orientation is applied. Sizes may differ from image to image. An unreadable image is an
    error when it is the only one, else it is skipped and counted in `warning`.

    `Frame.source` is the file name of the image, `Frame.index` its place in the sequence.
    """

    def __init__(
        self,
        images: Sequence[Path],
        *,
        path: Path | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        stride: int = 1,
        fps: float | None = None,
        flip: bool = False,
    ) -> None:
        rate = Fraction(DEFAULT_FPS if fps is None else fps)
        place = path if path is not None else images[0]
        self.path: Path | None = place
        self.name = place.name or place.resolve().name
        self.kind: Kind = "image" if len(images) == 1 and images[0] == place else "images"
        self.is_live = False
        self.has_audio = False
        self.dropped = 0
        self.warning: str | None = None
        self.time_base = 1 / rate
        self.time_scale = 1.0
        self.zero_s = 0.0
        self.sample_aspect = Fraction(1)
        self.fps: Fraction | float = rate / stride
        self._rate, self._flip = rate, flip
        self._todo = _selection(images, rate, start_s, duration_s, stride)
        self.frame_count: int | None = len(self._todo)
        self.duration_s: float | None = float(len(self._todo) / self.fps)
        self._unreadable: list[str] = []
        self._frames = self._read()
        first = next(self._frames, None)
        if first is None:
            raise SourceError(self._nothing(images, start_s))
        self._first: Frame | None = first
        self.size = first.size

    def __iter__(self) -> Iterator[Frame]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._frames

    def close(self) -> None:
        """Read no further image."""
        self._frames.close()

    def _read(self) -> Generator[Frame]:
        for index, path in self._todo:
            image = read_image(path)
            if image is None:
                self._unreadable.append(path.name)
                self.warning = (
                    f"{len(self._unreadable)} of {len(self._todo)} images could not be read "
                    f"and were skipped: {', '.join(self._unreadable[:3])}"
                    f"{', ...' if len(self._unreadable) > 3 else ''}"
                )
                continue
            if self._flip:
                image = np.asarray(cv2.flip(image, 1), np.uint8)
            pts_s = float(index / self._rate)
            yield Frame(image, index, pts_s, time.perf_counter(), path.name)

    def _nothing(self, images: Sequence[Path], start_s: float) -> str:
        if not self._todo:
            return f"{self.path} has no image at or after start {start_s:g} s"
        if len(images) == 1:
            return f"{images[0]} is not an image that can be read: it is empty or damaged"
        return f"none of the {len(self._todo)} images of {self.path} can be read"


def read_image(path: Path) -> Image | None:
    """(H, W, 3) BGR with EXIF orientation applied, or None where the file is no image."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _selection(
    images: Sequence[Path],
    rate: Fraction,
    start_s: float,
    duration_s: float | None,
    stride: int,
) -> list[tuple[int, Path]]:
    inside = [
        (index, path)
        for index, path in enumerate(images)
        if start_s <= index / rate and (duration_s is None or index / rate < start_s + duration_s)
    ]
    return inside[::stride]
