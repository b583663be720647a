"""Boxes of people from a file, in place of a detector: JSON, JSONL, CSV or MOTChallenge text."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from posetrack.errors import SourceError, SourceNotFound
from posetrack.types import Detections, Frame

Box = tuple[float, float, float, float]


class BoxFile:
    """The boxes of each frame; called with a frame, those of that frame.

    The format follows the suffix. Boxes are xyxy in source pixels but in MOTChallenge text; frames
    are counted from 0 but there. A frame that the file does not mention is unknown, not empty:
    people go on from where they were.

    * ``.json``: ``{"0": [[x1, y1, x2, y2], ...], "5": []}``
    * ``.jsonl``: one ``{"frame": 0, "boxes": [[...]]}`` a line, or the records of `posetrack run`
    * ``.csv``: a header line with the columns frame, x1, y1, x2, y2
    * ``.txt``: MOTChallenge: frame (from 1), id, x, y, width, height, ...

    Raises:
        SourceNotFound: no such file.
        SourceError: with the line that is wrong.
    """

    def __init__(self, path: Path) -> None:
        readers = {".json": _json, ".jsonl": _jsonl, ".csv": _csv, ".txt": _mot}
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise SourceError(f"boxes {path}: the suffix must be one of {', '.join(readers)}")
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError as error:
            raise SourceNotFound(f"boxes {path} not found: check the path") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"boxes {path} cannot be read: {error}") from error
        self._boxes: dict[int, list[Box]] = {}
        self.path = path
        where = f"{path}:1"
        try:
            for line, frame, boxes in reader(text):
                where = f"{path}:{line}"
                self._boxes.setdefault(frame, []).extend(map(_checked, boxes))
        except _LineError as error:
            raise SourceError(f"boxes {path}:{error}") from error
        except (TypeError, ValueError) as error:
            raise SourceError(f"boxes {where}: {error}") from error
        if not self._boxes:
            raise SourceError(f"boxes {path} names no frame")

    def __call__(self, frame: Frame) -> Detections | None:
        """The people of the frame; None where the file says nothing about it."""
        boxes = self._boxes.get(frame.index)
        return None if boxes is None else Detections.from_boxes(boxes)


class _LineError(Exception):
    """What is wrong, beginning with the number of the line."""


def _checked(box: Any) -> Box:
    try:
        x1, y1, x2, y2 = map(float, box)
    except (TypeError, ValueError):
        raise ValueError(f"a box is x1, y1, x2, y2, got {box!r}") from None
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or x2 <= x1 or y2 <= y1:
        raise ValueError(f"box {x1:g}, {y1:g}, {x2:g}, {y2:g} has no area: give x1, y1, x2, y2")
    return x1, y1, x2, y2


def _json(text: str) -> Iterator[tuple[int, int, list[Any]]]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise _LineError(f"{error.lineno}: not valid JSON ({error.msg})") from error
    if not isinstance(data, Mapping):
        raise _LineError('1: an object of frames was expected: {"0": [[x1, y1, x2, y2]]}')
    for frame, boxes in data.items():
        if not frame.isdecimal() or not isinstance(boxes, list):
            raise _LineError(f"1: frame {frame!r} must be a number with a list of boxes")
        yield 1, int(frame), boxes


def _jsonl(text: str) -> Iterator[tuple[int, int, list[Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            raise _LineError(f"{number}: not valid JSON ({error.msg})") from error
        if not isinstance(record, Mapping) or "frame" not in record:
            continue  # the header of posetrack's own records
        if "people" in record:
            yield number, int(record["frame"]), [person["box"] for person in record["people"]]
        else:
            yield number, int(record["frame"]), list(record.get("boxes", []))


def _csv(text: str) -> Iterator[tuple[int, int, list[Any]]]:
    rows = csv.DictReader(text.splitlines())
    missing = {"frame", "x1", "y1", "x2", "y2"} - set(rows.fieldnames or ())
    if missing:
        raise _LineError(f"1: no column {', '.join(sorted(missing))}: need frame, x1, y1, x2, y2")
    for row in rows:
        try:
            yield rows.line_num, int(row["frame"]), [[row[k] for k in ("x1", "y1", "x2", "y2")]]
        except (TypeError, ValueError) as error:
            raise _LineError(f"{rows.line_num}: frame {row['frame']!r} is no number") from error


def _mot(text: str) -> Iterator[tuple[int, int, list[Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            frame, _, x, y, width, height = (float(word) for word in line.split(",")[:6])
        except ValueError as error:
            raise _LineError(f"{number}: frame, id, x, y, width, height were expected") from error
        yield number, int(frame) - 1, [[x, y, x + width, y + height]]
