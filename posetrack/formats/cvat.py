"""CVAT for video 1.1: every person as a skeleton track, to be corrected there.

Points lie in CVAT's frame, in which 0 is the upper left corner of the first pixel.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from posetrack.formats.dense import Dense
from posetrack.formats.place import write_text
from posetrack.records import Recording
from posetrack.skeletons import Skeleton

LABEL = "person"


def write(recording: Recording, path: Path) -> None:
    """Tracks over all frames of the video; who is not there is ``outside``."""
    dense = Dense.of(recording, every_frame=True)
    header = recording.header
    root = ET.Element("annotations")
    _text(root, "version", "1.1")
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    _text(task, "name", header.source)
    _text(task, "size", len(dense))
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", 0)
    _text(task, "stop_frame", max(len(dense) - 1, 0))
    _labels(ET.SubElement(task, "labels"), header.skeleton)
    size = ET.SubElement(task, "original_size")
    _text(size, "width", header.size[0])
    _text(size, "height", header.size[1])
    for place, track_id in enumerate(dense.ids):
        _track(root, dense, place, track_id)
    ET.indent(root)
    write_text(
        path, '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"
    )


def _labels(labels: ET.Element, skeleton: Skeleton) -> None:
    body = ET.SubElement(labels, "label")
    _text(body, "name", LABEL)
    _text(body, "type", "skeleton")
    attribute = ET.SubElement(ET.SubElement(body, "attributes"), "attribute")
    _text(attribute, "name", "track_id")
    _text(attribute, "mutable", "False")
    _text(attribute, "input_type", "number")
    for name in skeleton.keypoints:
        point = ET.SubElement(labels, "label")
        _text(point, "name", name)
        _text(point, "type", "points")
        _text(point, "parent", LABEL)


def _track(root: ET.Element, dense: Dense, place: int, track_id: int) -> None:
    """A skeleton in each frame from his first to the one after his last; all its points are
    outside where he is not there."""
    there = np.flatnonzero(dense.present[:, place])
    track = ET.SubElement(root, "track", id=str(place), label=LABEL, source="auto")
    points = dense.keypoints[:, place] + 0.5
    middle = (dense.boxes[:, place, :2] + dense.boxes[:, place, 2:]) / 2 + 0.5
    names = dense.header.skeleton.keypoints
    last = middle[there[0]]
    for frame in range(int(there[0]), min(int(there[-1]) + 2, len(dense))):
        skeleton = ET.SubElement(track, "skeleton", frame=str(frame), keyframe="1", z_order="0")
        ET.SubElement(skeleton, "attribute", name="track_id").text = str(track_id)
        last = middle[frame] if dense.present[frame, place] else last
        for name, point in zip(names, points[frame], strict=True):
            found = bool(np.isfinite(point[0]))
            x, y = point if found else last
            state = {"label": name, "outside": str(int(not found)), "occluded": "0"}
            state |= {"keyframe": "1", "points": f"{x:.2f},{y:.2f}"}
            ET.SubElement(skeleton, "points", state)


def _text(parent: ET.Element, name: str, value: object) -> None:
    ET.SubElement(parent, name).text = str(value)
