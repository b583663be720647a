"""Sinks that write what was found as text: JSON lines, and CSV in long form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posetrack.media.part import PartFile
from posetrack.records.schema import Header, Record
from posetrack.types import Image, Result

CSV_COLUMNS = (
    "frame,pts_s,id,state,box_x1,box_y1,box_x2,box_y2,box_score,keypoint,x,y,score,raw_x,raw_y"
)


class _TextSink:
    """A text file, one or more lines a result."""

    def __init__(self, path: Path, *, source: Path | None = None) -> None:
        self.path = path
        self._source = source
        self._part: PartFile | None = None

    def _begin(self) -> str:
        raise NotImplementedError

    def _lines(self, result: Result) -> str:
        raise NotImplementedError

    def open(self) -> None:
        """Create the file and write its first line."""
        self._part = PartFile(self.path, source=self._source)
        self._put(self._begin())

    def write(self, result: Result, image: Image | None = None, /) -> None:  # noqa: ARG002 - as every sink
        """Append the lines of one result."""
        self._put(self._lines(result))

    def _put(self, text: str) -> None:
        assert self._part is not None, "open the sink before writing"
        try:
            self._part.write(text.encode())
        except OSError as error:
            raise self._part.failure(error) from error

    def finish(self) -> None:
        """Give the file its name."""
        if self._part is not None:
            part, self._part = self._part, None
            part.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._part is not None:
            part, self._part = self._part, None
            part.discard()


class RecordWriter(_TextSink):
    """Writes a header and one JSON line a frame; a `posetrack.media.sink.Sink`.

    Args:
        path: final name.
        header: written first.
        source: the input file, which is never overwritten.
    """

    def __init__(self, path: Path, header: Header, *, source: Path | None = None) -> None:
        super().__init__(path, source=source)
        self._header = header

    def _begin(self) -> str:
        return self._header.to_json() + "\n"

    def _lines(self, result: Result) -> str:
        return Record.of(result).to_json(self._header.camera) + "\n"


class CsvWriter(_TextSink):
    """Writes one line for each keypoint of each person, columns `CSV_COLUMNS`; a Sink.

    A frame without people has no line.
    """

    def _begin(self) -> str:
        return CSV_COLUMNS + "\n"

    def _lines(self, result: Result) -> str:
        return csv_lines(Record.of(result), result.tracks.poses.skeleton.keypoints)


def csv_lines(record: Record, names: Sequence[str]) -> str:
    """One line for each keypoint of each person of a frame, columns `CSV_COLUMNS`."""
    lines = []
    for person in record.people():
        box = ",".join(map(repr, person["box"]))
        who = f"{record.frame},{round(record.pts_s, 6)},{person['id']},{person['state']}"
        start = f"{who},{box},{person['score']},"
        for name, (x, y, score), (raw_x, raw_y) in zip(
            names, person["keypoints"], person["raw"], strict=True
        ):
            lines.append(f"{start}{name},{x},{y},{score},{raw_x},{raw_y}\n")
    return "".join(lines)
