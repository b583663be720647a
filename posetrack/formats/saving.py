"""A sink that writes other formats at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TextIO

import numpy as np

from posetrack.formats.conversion import convert
from posetrack.formats.table import FORMATS
from posetrack.media.part import PartFile, write_failure
from posetrack.records import NEW, Header, Record, Recording
from posetrack.types import Image, Result


class Saving:
    """Keeps the records of a run in a file without a name, and converts them when it ends.

    So memory does not grow with the run, and the bytes are those of ``posetrack convert``.

    Args:
        places: where each format goes, by its name.
        header: of the records.
        made: gets the paths of formats with one file a person: only now are they known.
        source: the input file, which is never overwritten.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        header: Header,
        made: list[Path],
        *,
        source: Path | None = None,
    ) -> None:
        self._places, self._header, self._made, self._source = places, header, made, source
        self._kept: TextIO | None = None

    def open(self) -> None:
        """See that the places can be written, and that every format takes this skeleton."""
        for name, path in self._places.items():
            if not FORMATS[name].folder:
                PartFile(path, source=self._source).discard()
        with TemporaryDirectory(prefix="posetrack-") as scratch:
            for name, path in self._places.items():
                convert(_trial(self._header), name, Path(scratch) / path.name)
        self._kept = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed in `finish`

    def write(self, result: Result, image: Image | None = None, /) -> None:  # noqa: ARG002 - as every sink
        """Keep one frame."""
        assert self._kept is not None, "open the sink before writing"
        try:
            self._kept.write(Record.of(result).to_json() + "\n")
        except OSError as error:
            raise write_failure(next(iter(self._places.values())), error) from error

    def finish(self) -> None:
        """Write every format."""
        if self._kept is None:
            return
        kept, self._kept = self._kept, None
        with kept:
            kept.seek(0)
            count = len(self._header.skeleton)
            recording = Recording.of(self._header, (Record.from_json(line, count) for line in kept))
        for name, path in self._places.items():
            written = convert(recording, name, path)
            if FORMATS[name].each:
                self._made += written

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def _trial(header: Header) -> Recording:
    """One person in one frame: what a format cannot do shows before the first frame is read."""
    points = np.zeros((1, len(header.skeleton), 2), np.float32)
    scores = np.ones(points.shape[:2], np.float32)
    box = np.array([[0, 0, 1, 1]], np.float32)
    one = np.ones(1, np.float32)
    record = Record(0, 0.0, True, np.ones(1, np.int64), box, one, (NEW,), points, scores, points)
    return Recording.of(header, [record])
