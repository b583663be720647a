"""Poses as tables: a row a person and frame, in Parquet files that change by turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow
from pyarrow import parquet

from posetrack.errors import SinkError
from posetrack.media.part import PartFile, write_failure
from posetrack.serve.hub import Item, Kind
from posetrack.serve.message import Message
from posetrack.serve.sinks.files import Rotation
from posetrack.serve.sinks.settings import FileSettings

SCHEMA = pyarrow.schema(
    [
        ("stream", pyarrow.string()),
        ("frame", pyarrow.int64()),
        ("pts_ns", pyarrow.int64()),
        ("capture_ns", pyarrow.int64()),
        ("id", pyarrow.int64()),
        ("state", pyarrow.string()),
        ("score", pyarrow.float32()),
        ("bbox", pyarrow.list_(pyarrow.float32(), 4)),
        ("keypoints", pyarrow.list_(pyarrow.float32())),
        ("age", pyarrow.float32()),
    ]
)
"""`keypoints` is x, y, score of one after the other."""
_ROWS = 2000


class Parquet:
    """Rows of all streams in one file; one under way ends in ``.part`` and is not readable yet."""

    kinds: Sequence[Kind] = ("poses",)

    def __init__(self, settings: FileSettings) -> None:
        self._rotation = Rotation(settings, ".parquet")
        self._part: PartFile | None = None
        self._writer: Any = None
        self._rows: list[dict[str, Any]] = []

    def open(self) -> None:
        """Check the place by beginning the first file."""
        self._begin()

    def send(self, items: Sequence[Item]) -> None:
        """Keep the rows until there are enough for a group."""
        for item in items:
            assert isinstance(item.content, Message)
            self._rows += _rows(item.content.data)
        if len(self._rows) >= _ROWS:
            self._write()

    def tick(self) -> None:
        """Begin another file where it is time."""
        if self._part is None:
            self._begin()
        assert self._part is not None
        if self._rotation.is_due(self._part.tell()):
            self.finish()

    def finish(self) -> None:
        """Write the footer and give the file its name; one without rows goes."""
        self._write()
        part, writer, self._part, self._writer = self._part, self._writer, None, None
        if part is None:
            return
        empty = part.tell() <= 4  # the magic number at the start
        writer.close()
        if empty:
            part.discard()
        else:
            part.commit()

    def close(self) -> None:
        """The same, whatever happens."""
        try:
            self.finish()
        except SinkError:
            return

    def _begin(self) -> None:
        self._part = PartFile(self._rotation.next_path())
        self._writer = parquet.ParquetWriter(pyarrow.PythonFile(self._part, "w"), SCHEMA)

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        if self._part is None:
            self._begin()
        assert self._part is not None
        try:
            self._writer.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
        except OSError as error:
            raise write_failure(self._part.path, error) from error


def _rows(message: dict[str, Any]) -> list[dict[str, Any]]:
    shared = {name: message[name] for name in ("stream", "frame", "pts_ns", "capture_ns")}
    return [
        {
            **shared,
            **{name: person[name] for name in ("id", "state", "score", "bbox", "age")},
            "keypoints": [value for point in person["keypoints"] for value in point],
        }
        for person in message["people"]
    ]
