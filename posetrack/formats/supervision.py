"""Results as the objects of the supervision library, for its annotators, zones and metrics.

::

    for result in posetrack.track("walk.mp4"):
        detections = to_detections(result)      # tracker_id is the id
        key_points = to_key_points(result)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from posetrack.errors import BackendMissing
from posetrack.records import Record
from posetrack.types import Result

if TYPE_CHECKING:
    import supervision as sv

PERSON = 0


def to_detections(found: Result | Record) -> sv.Detections:
    """The people of a frame: boxes, confidence, ids as ``tracker_id``, states as data.

    Raises:
        BackendMissing: supervision is not installed.
    """
    sv = _library()
    record = _record(found)
    return sv.Detections(
        xyxy=record.boxes.copy(),
        confidence=record.box_scores.copy(),
        class_id=np.full(len(record), PERSON),
        tracker_id=record.ids.copy(),
        data={"state": np.array(record.states, "<U7")},
    )


def to_key_points(found: Result | Record) -> sv.KeyPoints:
    """Their keypoints; what was not found is 0, 0 and not visible, as supervision has it.

    Raises:
        BackendMissing: supervision is not installed.
    """
    sv = _library()
    record = _record(found)
    visible = record.scores > 0
    return sv.KeyPoints(
        xy=np.where(visible[..., None], record.keypoints, 0).astype(np.float32),
        keypoint_confidence=record.scores.copy(),
        detection_confidence=record.box_scores.copy(),
        visible=visible,
        class_id=np.full(len(record), PERSON),
        data={"tracker_id": record.ids.copy(), "state": np.array(record.states, "<U7")},
    )


def _record(found: Result | Record) -> Record:
    return Record.of(found) if isinstance(found, Result) else found


def _library() -> Any:
    try:
        import supervision
    except ImportError as error:
        raise BackendMissing(
            "supervision objects need the package supervision, which is not installed: "
            "pip install 'posetrack[supervision]'"
        ) from error
    return supervision
