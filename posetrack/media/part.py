"""Files that get their name only when they are whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from posetrack.errors import SinkError


class PartFile:
    """A binary file written as ``name.part``: `commit` gives it its name, `discard` removes it.

    Errors of the file system come out as SinkError, and the first one is kept: a library that
    swallows the error of a write cannot turn a cut file into a whole one. It is raised once:
    PyAV calls on from within libav while it closes, and prints the trace of a second error.

    Raises:
        SinkError: the place cannot be written, or is the input itself.
    """

    def __init__(self, path: Path, *, source: Path | None = None) -> None:
        self.path = path
        self.error: OSError | None = None
        self._part = path.with_name(path.name + ".part")
        if source is not None and _same(path, source):
            raise SinkError(
                f"output {path} is the input itself: name another output, nothing was written"
            )
        if path.is_dir():
            raise SinkError(f"output {path} is a folder: name a file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._part.open("wb")
        except OSError as error:
            raise self.failure(error) from error

    def failure(self, error: BaseException) -> SinkError:
        """The one-line error for a write that failed with `error`."""
        return write_failure(self.path, error)

    def write(self, data: bytes) -> int:
        """Append; the number of bytes."""
        if self.error is not None:
            return len(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as `io.IOBase.seek`."""
        if self.error is not None:
            return 0
        try:
            return self._file.seek(offset, whence)
        except OSError as error:  # seeking flushes what was buffered
            self.error = error
            raise

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._file.tell()

    def commit(self) -> None:
        """Close and rename to the final name; on any error so far remove and raise."""
        try:
            self._file.close()
            if self.error is not None:
                raise self.error
            os.replace(self._part, self.path)  # noqa: PTH105 - overwrites on Windows too
        except OSError as error:
            self.discard()
            raise self.failure(error) from error

    def discard(self) -> None:
        """Close and remove; nothing is left under either name."""
        try:
            self._file.close()
        except OSError as error:  # the last buffered bytes found no room either
            self.error = self.error or error
        self._part.unlink(missing_ok=True)


def write_failure(path: Path, error: BaseException) -> SinkError:
    """The one-line SinkError for `path` and what the system said."""
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, FileExistsError):  # of making the folder it lies in
        reason = f"{error.filename} is a file, not a folder"
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    what = "free space there or choose another place" if full else "choose another place"
    return SinkError(f"cannot write {path}: {reason}; {what}")


def _same(path: Path, source: Path) -> bool:
    if path.exists() and source.exists():
        return path.samefile(source)
    return path.absolute() == source.absolute()
