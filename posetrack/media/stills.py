"""Pictures written as image files."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from posetrack.errors import SinkError
from posetrack.media.part import PartFile
from posetrack.media.source import IMAGE_SUFFIXES, Source
from posetrack.types import Image, Result

JPEG_QUALITY = 95


class ImageSink:
    """Writes one image a result: to the file `path`, or into the folder `path`.

    A `path` with an image suffix is a file (for a source of one image). In a folder, results of
    images keep their names (``a.png`` gives ``a.posetrack.png``), results of videos get the
    number of their frame. Each image is whole once it has its name, so nothing is taken back
    when a later frame fails.
    """

    def __init__(self, path: Path, source: Source, *, suffix: str = ".jpg") -> None:
        self.path = path
        self._source = source
        self._suffix = suffix
        self._single = path.suffix.lower() in IMAGE_SUFFIXES

    def open(self) -> None:
        """Check the place by creating a file there."""
        probe = self.path if self._single else self.path / "posetrack"
        taken = self._source.path if self._source.kind == "image" else None
        PartFile(probe, source=taken).discard()

    def write(self, result: Result, image: Image, /) -> None:
        """Write one image."""
        path = self.path if self._single else self.path / self._name(result)
        jpeg = path.suffix.lower() in (".jpg", ".jpeg", ".jpe")
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if jpeg else []
        try:
            ok, data = cv2.imencode(path.suffix, image, options)
        except cv2.error as error:
            raise SinkError(f"cannot write {path}: OpenCV has no encoder for it") from error
        if not ok:
            raise SinkError(f"cannot write {path}: the image could not be encoded")
        part = PartFile(path, source=self._source_image(result))
        try:
            part.write(data.tobytes())
        except OSError as error:
            part.discard()
            raise part.failure(error) from error
        part.commit()

    def _name(self, result: Result) -> str:
        if self._source.kind in ("image", "images"):
            name = Path(result.frame.source)
            return f"{name.stem}.posetrack{name.suffix}"
        return f"{result.frame.index:06d}{self._suffix}"

    def _source_image(self, result: Result) -> Path | None:
        place = self._source.path
        if place is None or self._source.kind not in ("image", "images"):
            return None
        return Path(os.path.join(place, result.frame.source)) if place.is_dir() else place  # noqa: PTH118

    def finish(self) -> None:
        """Nothing is left to do: every image is complete."""

    def abort(self) -> None:
        """Nothing is half-written: every image is complete."""
