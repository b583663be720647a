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
    states = {int(s.get("frame")): s.get("outside") for s in seven.findall("skeleton")}
    assert [frame for frame, outside in states.items() if outside == "0"] == AT[7].tolist()
    assert states[33] == "1"
    first = seven.find("skeleton")
    assert first.findtext("attribute") == "7"
    points = {p.get("label"): p for p in first.findall("points")}
    x, y = map(float, points["nose"].get("points").split(","))
    assert np.allclose([x, y], rec.track(7).keypoints[0, 0] + 0.5, atol=0.01)
    assert points["left_ear"].get("outside") == "1"


@pytest.mark.filterwarnings("ignore")
def test_datumaro_reads_the_cvat_file(tmp_path: Path) -> None:
    dm = pytest.importorskip("datumaro", reason="datumaro is not installed", exc_type=ImportError)
    rec = recording()
    convert(rec, "cvat", tmp_path / "a.xml")
    read = dm.Dataset.import_from(str(tmp_path), "cvat")
    items = {int(item.attributes["frame"]): item for item in read}
    found = [each for each in items[6].annotations if each.type == dm.AnnotationType.skeleton]
    assert sorted(int(each.attributes["track_id"]) for each in found) == [2, 7]
    assert len(items[16].annotations) == 1


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
