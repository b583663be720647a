"""Boxes from files: every format gives the same, every mistake its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posetrack.boxes import BoxFile
from posetrack.errors import SourceError, SourceNotFound
from posetrack.types import Frame

SAME = {
    "a.json": '{"0": [[10, 20, 30, 60], [1, 2, 3, 4.5]], "2": []}',
    "a.jsonl": '{"schema": "posetrack/1"}\n'
    '{"frame": 0, "boxes": [[10, 20, 30, 60], [1, 2, 3, 4.5]]}\n{"frame": 2, "people": []}\n',
    "a.csv": "id,frame,x1,y1,x2,y2\n1,0,10,20,30,60\n2,0,1,2,3,4.5\n",
    "a.txt": "1,1,10,20,20,40,1,1,1\n\n1,2,1,2,2,2.5,1\n",
}


def frame(index: int) -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), index, index / 25, 0.0)


@pytest.mark.parametrize("name", SAME)
def test_every_format_gives_the_same_boxes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(SAME[name])
    boxes = BoxFile(path)
    np.testing.assert_array_equal(boxes(frame(0)).boxes, [[10, 20, 30, 60], [1, 2, 3, 4.5]])
    assert boxes(frame(1)) is None
    if name.startswith("a.json"):  # the others cannot say that nobody is there
        assert len(boxes(frame(2))) == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[1]", r"a.json:1: an object of frames"),
        ("a.json", '{"x": []}', r"frame 'x' must be a number"),
        ("a.json", '{"0": [[1, 2, 3]]}', r"a box is x1, y1, x2, y2, got \[1, 2, 3\]"),
        ("a.json", "{\n{", r"a.json:2: not valid JSON"),
        ("a.jsonl", '{"frame": 0, "boxes": []}\n{"fra', r"a.jsonl:2: not valid JSON"),
        ("a.csv", "frame,x,y\n", r"a.csv:1: no column x1, x2, y1, y2"),
        ("a.csv", "frame,x1,y1,x2,y2\n0,1,1,2,2\nz,1,1,2,2\n", r"a.csv:3: frame 'z'"),
        ("a.csv", "frame,x1,y1,x2,y2\n0,9,1,2,2\n", r"a.csv:2: box 9, 1, 2, 2 has no area"),
        ("a.csv", "frame,x1,y1,x2,y2\n0,nan,1,2,2\n", r"a.csv:2: box nan, 1, 2, 2"),
        ("a.txt", "1,1,10,20\n", r"a.txt:1: frame, id, x, y, width, height"),
        ("a.txt", "", r"names no frame"),
        ("a.xml", "", r"the suffix must be one of .json, .jsonl, .csv, .txt"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SourceError, match=message):
        BoxFile(path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="check the path"):
        BoxFile(tmp_path / "none.json")
