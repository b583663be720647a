"""COCO keypoint results, COCO annotations of a video, and PoseTrack's of both.

Image ids are frame indices. Keypoints are ``x, y, v`` with v = 2 where found (annotations) or
``x, y, score`` (results); what was not found is ``0, 0, 0``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.formats.place import write_json
from posetrack.kinematics import landmarks
from posetrack.records import Header, Recording
from posetrack.records.schema import Record
from posetrack.skeletons import Skeleton, load_skeleton
from posetrack.types import Floats

PERSON = 1
_AREA_SHARE = 0.53
"""Of a person's box, what COCO's masks of people cover on the average."""


def write_results(recording: Recording, path: Path) -> None:
    """A list as `COCO.loadRes` takes it, with ``track_id`` besides.

    The score is the box's times the mean of the keypoints that were found, as MMPose rescores.
    """
    rows = []
    for record in recording.records():
        for index, person in _people(record, recording.header.skeleton):
            found = record.scores[index][record.scores[index] > 0]
            mean = float(found.mean()) if len(found) else 0.0
            rows.append(
                {
                    "image_id": record.frame,
                    "category_id": PERSON,
                    "keypoints": person.pop("points").ravel().tolist(),
                    "score": round(float(record.box_scores[index]) * mean, 4),
                    **person,
                }
            )
    write_json(path, rows)


def write_video(recording: Recording, path: Path) -> None:
    """Annotations in COCO's form for video: ``videos``, images with ``frame_id``, ``track_id``."""
    header = recording.header
    images = [
        {**image, "frame_id": frame, "video_id": 1}
        for image, frame in zip(_images(recording), recording.frames.tolist(), strict=True)
    ]
    data = {
        "info": _info(header),
        "videos": [{"id": 1, "name": header.source, "fps": header.fps, **_size(header)}],
        "images": images,
        "categories": [_category(header.skeleton)],
        "annotations": list(_annotations(recording, header.skeleton)),
    }
    write_json(path, data)


def write_posetrack(recording: Recording, path: Path) -> None:
    """Annotations as PoseTrack18 and 21 have them; keypoints are matched by name.

    Its ``head_bottom`` is the neck or the middle of the shoulders; ``head_top`` is 0, 0, 0 where
    the model has none.
    """
    skeleton = load_skeleton("posetrack18")
    frames = recording.frames.tolist()
    images = [
        {**image, "frame_id": frame, "vid_id": "1", "nframes": len(frames), "is_labeled": True}
        for image, frame in zip(_images(recording), frames, strict=True)
    ]
    data = {
        "info": _info(recording.header),
        "images": images,
        "categories": [_category(skeleton)],
        "annotations": list(_annotations(recording, skeleton)),
    }
    write_json(path, data)


def _annotations(recording: Recording, skeleton: Skeleton) -> Iterator[dict[str, Any]]:
    number = 0
    for record in recording.records():
        for _, person in _people(_in_set(record, recording.header.skeleton, skeleton), skeleton):
            number += 1
            points = person.pop("points")
            scores = points[:, 2].copy()
            points[:, 2] = 2 * (scores > 0)
            _, _, width, height = person["bbox"]
            yield {
                "id": number,
                "image_id": record.frame,
                "category_id": PERSON,
                **person,
                "area": round(_AREA_SHARE * width * height, 2),
                "iscrowd": 0,
                "keypoints": points.ravel().tolist(),
                "num_keypoints": int((scores > 0).sum()),
                "scores": scores.tolist(),
            }


def _people(record: Record, skeleton: Skeleton) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row and ids, box and points (K, 3) of each person."""
    assert record.scores.shape[1] == len(skeleton)
    for index, track_id in enumerate(record.ids.tolist()):
        x1, y1, x2, y2 = np.round(record.boxes[index].astype(np.float64), 2).tolist()
        points = np.zeros((len(skeleton), 3))
        points[:, :2] = np.round(record.keypoints[index].astype(np.float64), 2)
        points[:, 2] = np.round(record.scores[index].astype(np.float64), 4)
        points[points[:, 2] <= 0] = 0
        yield (
            index,
            {
                "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                "track_id": track_id,
                "points": points,
            },
        )


def _in_set(record: Record, own: Skeleton, wanted: Skeleton) -> Record:
    """The frame with another set's keypoints, matched by name."""
    if own.keypoints == wanted.keypoints:
        return record
    points, scores = landmarks.take(own, wanted.keypoints, record.keypoints, record.scores)
    return Record(
        record.frame,
        record.pts_s,
        record.detector_ran,
        record.ids,
        record.boxes,
        record.box_scores,
        record.states,
        np.nan_to_num(points).astype(np.float32),
        scores.astype(np.float32),
        _NO_RAW,
    )


_NO_RAW: Floats = np.zeros((0, 0, 2), np.float32)


def _images(recording: Recording) -> list[dict[str, Any]]:
    frames, times_s = recording.frames.tolist(), recording.times_s.tolist()
    return [
        {
            "id": frame,
            "file_name": f"{Path(recording.header.source).stem}/{frame:06d}.jpg",
            **_size(recording.header),
            "pts_s": time_s,
        }
        for frame, time_s in zip(frames, times_s, strict=True)
    ]


def _size(header: Header) -> dict[str, int]:
    return {"width": header.size[0], "height": header.size[1]}


def _info(header: Header) -> dict[str, Any]:
    return {
        "description": f"{header.source}, tracked by posetrack {header.version}",
        "fps": header.fps,
        "units": "px, x right, y down, (0, 0) the centre of the first pixel; seconds",
    }


def _category(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "id": PERSON,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(skeleton.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.limbs],
    }
