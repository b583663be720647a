"""CVAT and FiftyOne, where people look at tracks and correct them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from formats.people import AT, FRAMES, SIZE, recording

from posetrack.formats.conversion import convert


def test_cvat_tracks_end_with_an_outside_frame(tmp_path: Path) -> None:
    rec = recording()
    convert(rec, "cvat", tmp_path / "a.xml")
    root = ET.parse(tmp_path / "a.xml").getroot()
    assert root.findtext("meta/task/size") == str(FRAMES)
    seven = root.findall("track")[1]
    there = {
        int(skeleton.get("frame")): any(p.get("outside") == "0" for p in skeleton.findall("points"))
        for skeleton in seven.findall("skeleton")
    }
    assert [frame for frame, inside in there.items() if inside] == AT[7].tolist()
    assert there[33] is False
    first = seven.find("skeleton")
    assert first.findtext("attribute") == "7"
    points = {p.get("label"): p for p in first.findall("points")}
    x, y = map(float, points["nose"].get("points").split(","))
    assert np.allclose([x, y], rec.track(7).keypoints[0, 0] + 0.5, atol=0.01)
    assert points["left_ear"].get("outside") == "1"


@pytest.mark.filterwarnings("ignore")
def test_fiftyone_reads_its_frames(tmp_path: Path) -> None:
    reason = "fiftyone is not installed"
    frames = pytest.importorskip("fiftyone.core.frame", reason=reason, exc_type=ImportError)
    rec = recording()
    convert(rec, "fiftyone", tmp_path / "a.json")
    data = json.loads((tmp_path / "a.json").read_text())
    (sample,) = data["samples"]
    assert sample["filepath"] == "gänge.mp4"
    frame = frames.Frame.from_dict(sample["frames"]["7"])
    assert frame.frame_number == 7
    assert [each.index for each in frame.keypoints.keypoints] == [2, 7]
    points = np.array(frame.keypoints.keypoints[1].points)
    assert np.isnan(points[3]).all()
    assert np.allclose(points[0] * SIZE - 0.5, rec.track(7).keypoints[1, 0], atol=0.01)
    assert [each.index for each in frame.people.detections] == [2, 7]
    x, y, width, height = frame.people.detections[1].bounding_box
    assert x >= 0
    assert y >= 0
    assert x + width < 1
    assert y + height < 1
