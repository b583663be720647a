"""Messages as lines in files that change by turns, within a quota of the disk."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from posetrack.errors import SinkError
from posetrack.media.part import PartFile
from posetrack.serve.hub import Item, Kind
from posetrack.serve.sinks.runner import content_kinds
from posetrack.serve.sinks.settings import FileSettings

_STEM = re.compile(r"poses-\d{8}T\d{6}Z(?:-\d+)?")


class Rotation:
    """Names of files in a folder, and room for them: the oldest go first.

    Only files that were named here are ever counted or removed.
    """

    def __init__(self, settings: FileSettings, suffix: str) -> None:
        self.folder = Path(settings.folder)
        self._settings, self._suffix = settings, suffix
        self._began_s = 0.0

    def next_path(self) -> Path:
        """The name of a new file; older files are removed until the quota holds."""
        self._began_s = time.monotonic()
        self.make_room()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        number, path = 0, self.folder / f"poses-{stamp}{self._suffix}"
        while path.exists():
            number += 1
            path = self.folder / f"poses-{stamp}-{number}{self._suffix}"
        return path

    def is_due(self, size_bytes: int) -> bool:
        """Whether a file of that size has had its turn."""
        over = time.monotonic() - self._began_s >= self._settings.rotate_s
        return over or size_bytes >= self._settings.rotate_mb * 1e6

    def make_room(self, needed_bytes: int = 0) -> None:
        """Remove the oldest finished files until the rest and `needed_bytes` fit."""
        files = self.finished()
        sizes = {path: path.stat().st_size for path in files}
        total = sum(sizes.values()) + needed_bytes
        for path in files:
            if total <= self._settings.quota_mb * 1e6:
                return
            path.unlink(missing_ok=True)
            total -= sizes[path]

    def finished(self) -> list[Path]:
        """Whole files, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path
            for path in self.folder.iterdir()
            if path.suffix == self._suffix and _STEM.fullmatch(path.stem)
        )


class JsonLines:
    """Every message a line, all streams in one file; a file under way ends in ``.part``."""

    kinds: Sequence[Kind] = content_kinds(poses=True, events=True)

    def __init__(self, settings: FileSettings) -> None:
        self._rotation = Rotation(settings, ".jsonl")
        self._part: PartFile | None = None

    def open(self) -> None:
        """Check the place by beginning the first file."""
        self._part = PartFile(self._rotation.next_path())

    def send(self, items: Sequence[Item]) -> None:
        """Append a line each."""
        part = self._part or PartFile(self._rotation.next_path())
        self._part = part
        lines = "".join(item.text(raw=True) + "\n" for item in items)
        try:
            part.write(lines.encode())
        except OSError as error:
            raise part.failure(error) from error

    def tick(self) -> None:
        """Begin another file where it is time, or the quota is spent."""
        if self._part is None:
            return
        size = self._part.tell()
        if self._rotation.is_due(size):
            self.finish()
        else:
            self._rotation.make_room(size)

    def finish(self) -> None:
        """Give the file its name; an empty one goes."""
        part, self._part = self._part, None
        if part is None:
            return
        if part.tell():
            part.commit()
        else:
            part.discard()

    def close(self) -> None:
        """The same, as well as that goes."""
        with suppress(SinkError):
            self.finish()
