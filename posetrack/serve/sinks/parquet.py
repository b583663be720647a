"""Poses as tables: a row a person and frame, in Parquet files that change by turns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from posetrack.errors import SinkError
from posetrack.media.part import write_failure
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
        self._path: Path | None = None
        self._writer: Any = None
        self._rows: list[dict[str, Any]] = []
        self._written = 0

    def open(self) -> None:
        """Check the place by beginning the first file."""
        pyarrow.Table.from_pylist([], SCHEMA)  # what the first table imports takes seconds
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
        if self._path is None:
            self._begin()
        elif self._rotation.is_due(_part(self._path).stat().st_size):
            self._finish()

    def close(self) -> None:
        """Finish the file, as well as that goes."""
        with suppress(SinkError):
            self._finish()

    def _begin(self) -> None:
        path = self._rotation.next_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = parquet.ParquetWriter(str(_part(path)), SCHEMA)
        except OSError as error:
            raise write_failure(path, error) from error
        self._path, self._written = path, 0

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if self._path is None:
            self._begin()
        assert self._path is not None
        try:
            self._writer.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
        except OSError as error:
            raise write_failure(self._path, error) from error
        self._written += len(rows)

    def _finish(self) -> None:
        """Write the rest and the footer, and give the file its name; one without rows goes."""
        if self._rows:
            self._write()
        path, self._path = self._path, None
        if path is None:
            return
        try:
            self._writer.close()
            if self._written:
                _part(path).replace(path)
            else:
                _part(path).unlink()
        except OSError as error:
            raise write_failure(path, error) from error


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


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
