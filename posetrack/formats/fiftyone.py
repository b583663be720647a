"""A FiftyOne dataset of one video: ``fiftyone.Dataset.from_json(path, rel_dir="folder of it")``.

Frames count from 1; coordinates are shares of the picture's sides, from its upper left corner.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posetrack.formats.place import write_json
from posetrack.records import Header, Recording
from posetrack.records.schema import Record

_LABEL = "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.{})"


def write(recording: Recording, path: Path) -> None:
    """One video sample; frame fields ``people`` (boxes) and ``keypoints``, the id as ``index``."""
    header = recording.header
    skeleton = {
        "labels": list(header.skeleton.keypoints),
        "edges": [list(e) for e in header.skeleton.limbs],
    }
    frames = {str(record.frame + 1): _frame(record, header) for record in recording.records()}
    data = {
        "name": Path(path.name).stem,
        "media_type": "video",
        "sample_fields": {"filepath": "fiftyone.core.fields.StringField"},
        "frame_fields": {
            "frame_number": "fiftyone.core.fields.FrameNumberField",
            "people": _LABEL.format("Detections"),
            "keypoints": _LABEL.format("Keypoints"),
        },
        "info": {
            "source": header.source,
            "fps": header.fps,
            "posetrack": header.version,
            "skeleton": header.skeleton.name,
        },
        "skeletons": {"frames.keypoints": skeleton},
        "default_skeleton": skeleton,
        "samples": [{"filepath": header.source, "_media_type": "video", "frames": frames}],
    }
    write_json(path, data)


def _frame(record: Record, header: Header) -> dict[str, Any]:
    size = np.array(header.size, np.float64)
    points = np.round((record.keypoints.astype(np.float64) + 0.5) / size, 6)
    points[record.scores <= 0] = np.nan
    scores = np.round(record.scores.astype(np.float64), 4)
    corners = (record.boxes.astype(np.float64).reshape(-1, 2, 2) + 0.5) / size
    boxes = np.round(np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1), 6)
    ids = record.ids.tolist()
    people = [
        {
            "_cls": "Detection",
            "label": "person",
            "bounding_box": boxes[row].tolist(),
            "confidence": round(float(record.box_scores[row]), 4),
            "index": track_id,
            "state": record.states[row],
        }
        for row, track_id in enumerate(ids)
    ]
    keypoints = [
        {
            "_cls": "Keypoint",
            "label": "person",
            "points": points[row].tolist(),
            "confidence": scores[row].tolist(),
            "index": track_id,
        }
        for row, track_id in enumerate(ids)
    ]
    return {
        "frame_number": record.frame + 1,
        "people": {"_cls": "Detections", "detections": people},
        "keypoints": {"_cls": "Keypoints", "keypoints": keypoints},
    }
