"""A sink that writes other formats at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from posetrack.formats.conversion import convert
from posetrack.formats.table import FORMATS
from posetrack.media.part import PartFile, write_failure
from posetrack.records import Header, Record, Recording
from posetrack.types import Image, Result


class Saving:
    """Keeps the records of a run in a file without a name, and converts them when it ends.

    So memory does not grow with the run, and the bytes are those of ``posetrack convert``.

    Args:
        places: where each format goes, by its name.
        header: of the records.
        made: gets the path of every file written.
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
        """See that the places can be written."""
        for name, path in self._places.items():
            if not FORMATS[name].folder:
                PartFile(path, source=self._source).discard()
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
            recording = Recording.of(
                self._header, (Record.from_json(line, count) for line in kept)
            )
        for name, path in self._places.items():
            self._made += convert(recording, name, path)

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
