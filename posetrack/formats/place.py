"""Writing whole files: under a name with ``.part`` until they are complete."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posetrack.errors import SinkError
from posetrack.media.part import PartFile, write_failure


def write_text(path: Path, text: str) -> None:
    """A whole text file in UTF-8, or none. Raises SinkError."""
    part = PartFile(path)
    try:
        part.write(text.encode())
    except OSError as error:
        part.discard()
        raise part.failure(error) from error
    part.commit()


def write_json(path: Path, data: Any) -> None:
    """A whole JSON file, compact. Raises SinkError."""
    write_text(path, json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n")


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A path for a library to write to; renamed to `path` at the end, removed on an error.

    Raises:
        SinkError: of any OSError inside.
    """
    PartFile(path).discard()  # says what is wrong with the place
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)  # noqa: PTH105 - overwrites on Windows too
    except OSError as error:
        raise write_failure(path, error) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def folder_part(folder: Path, pattern: str) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` at the end; removed on an error.

    Raises:
        SinkError: `folder` holds something that does not match `pattern`, and is not replaced;
            or any OSError inside.
    """
    foreign = [] if not folder.exists() else _foreign(folder, pattern)
    if foreign:
        raise SinkError(
            f"output {folder} holds {foreign[0]}, which is no {pattern}: name another folder"
        )
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        raise write_failure(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _foreign(folder: Path, pattern: str) -> list[str]:
    if not folder.is_dir():
        return ["no folder"]
    return [each.name for each in folder.iterdir() if not each.match(pattern)]
