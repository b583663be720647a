"""Reading record files back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from posetrack.errors import SourceError, SourceNotFound
from posetrack.records.schema import Header, Record


def read_records(path: Path | str) -> tuple[Header, Iterator[Record]]:
    """The header of a record file and its frames, read while iterating.

    A last line that is cut (of a run that was killed) is left out with a warning.

    Raises:
        SourceNotFound: no such file. SourceError: not a record file, or a bad line (from the
            iterator, with its number).
    """
    path = Path(path)
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        kind = SourceNotFound if isinstance(error, FileNotFoundError) else SourceError
        raise kind(f"cannot read records {path}: {error.strerror}; check the path") from error
    try:
        header = Header.from_json(file.readline())
    except (ValueError, KeyError, TypeError, IndexError) as error:
        file.close()
        reason = error if type(error) is ValueError else "its first line is not a header"
        raise SourceError(f"cannot read records {path}: {reason}") from error
    return header, _records(file, path, len(header.skeleton))


def _records(file: TextIO, path: Path, keypoints: int) -> Iterator[Record]:
    with file:
        for number, line in enumerate(file, 2):
            try:
                yield Record.from_json(line, keypoints)
            except (ValueError, KeyError, TypeError) as error:
                if not line.endswith("\n"):
                    warnings.warn(
                        f"{path}:{number} is cut in the middle: the frames before it are used",
                        stacklevel=2,
                    )
                    return
                reason = f"{error} is missing" if isinstance(error, KeyError) else error
                raise SourceError(f"{path}:{number} is not a record: {reason}") from error
