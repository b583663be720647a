"""OpenPose's output: one JSON file a frame, ``NAME_000000000012_keypoints.json``.

``person_id`` carries the track id. Sets are matched by name: the neck is the middle of the
shoulders and MidHip that of the hips, as in OpenPose's own training data, unless the model has
them. Orders of points: openpose/src/openpose/pose/poseParameters.cpp and, of BODY_135,
openpose_train's readme (github.com/CMU-Perceptual-Computing-Lab).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.formats.place import folder_part, write_json
from posetrack.kinematics import landmarks
from posetrack.records import Recording
from posetrack.records.schema import Record
from posetrack.skeletons import Skeleton

VERSION = 1.3


def _sides(order: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for side in order.split() for name in names)


_FEET = _sides("left right", "big_toe", "small_toe", "heel")
BODY_25 = (
    "nose", "neck", *_sides("right left", "shoulder", "elbow", "wrist"), "hip",
    *_sides("right left", "hip", "knee", "ankle"),
    "right_eye", "left_eye", "right_ear", "left_ear", *_FEET,
)  # fmt: skip
_FINGERS = tuple(
    f"{finger}{joint}"
    for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
    for joint in (1, 2, 3, 4)
)
_EYES = ("right_eye", "left_eye")
FACE = (*(f"face_{index}" for index in range(68)), *_EYES)
"""70 points: dlib's 68, then the pupils, for which the eyes stand."""
HANDS = tuple((f"{s}_hand_root", *(f"{s}_{name}" for name in _FINGERS)) for s in ("left", "right"))
BODY_135 = (
    "nose",
    *(f"{side}_{name}"
      for name in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
      for side in ("left", "right")),
    "neck", "head", *_FEET, *HANDS[0][1:], *HANDS[1][1:], *FACE,
)  # fmt: skip


def write_body25(recording: Recording, folder: Path) -> None:
    """25 points of the body; hands and face beside them where the model has them."""
    skeleton = recording.header.skeleton
    _need_body(skeleton)
    parts = {"pose": BODY_25}
    if landmarks.has(skeleton, FACE[:68]):
        parts["face"] = FACE
    for side, names in zip(("left", "right"), HANDS, strict=True):
        if landmarks.has(skeleton, names):
            parts[f"hand_{side}"] = names
    _write(recording, folder, parts)


def write_body135(recording: Recording, folder: Path) -> None:
    """135 points, all in ``pose_keypoints_2d``, as OpenPose's whole-body network writes them."""
    _need_body(recording.header.skeleton)
    _write(recording, folder, {"pose": BODY_135})


def write_own(recording: Recording, folder: Path) -> None:
    """The K points of the model in its own order, all in ``pose_keypoints_2d``."""
    _write(recording, folder, {"pose": None})


def _need_body(skeleton: Skeleton) -> None:
    needed = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    if not landmarks.has(skeleton, needed):
        raise ConfigError(
            f"OpenPose's body cannot be made of the keypoint set {skeleton.name}: it has no "
            "shoulders and hips; use openpose-own"
        )


def _write(recording: Recording, folder: Path, parts: Mapping[str, tuple[str, ...] | None]) -> None:
    stem = Path(recording.header.source).stem or "video"
    with folder_part(folder, "*_keypoints.json") as place:
        for record in recording.records():
            people = _people(record, recording.header.skeleton, parts)
            name = f"{stem}_{record.frame:012d}_keypoints.json"
            write_json(place / name, {"version": VERSION, "people": people})


def _people(
    record: Record, skeleton: Skeleton, parts: Mapping[str, tuple[str, ...] | None]
) -> list[dict[str, Any]]:
    flat = {name: _flat(record, skeleton, points) for name, points in parts.items()}
    kinds = ("pose", "face", "hand_left", "hand_right")
    return [
        {
            "person_id": [track_id],
            **{f"{kind}_keypoints_2d": flat[kind][i] if kind in flat else [] for kind in kinds},
            **{f"{kind}_keypoints_3d": [] for kind in kinds},
        }
        for i, track_id in enumerate(record.ids.tolist())
    ]


def _flat(record: Record, skeleton: Skeleton, names: Sequence[str] | None) -> list[list[float]]:
    """N lists ``x, y, score, x, ...`` of these points; None is the model's own."""
    points: npt.NDArray[np.floating] = record.keypoints
    scores: npt.NDArray[np.floating] = record.scores
    if names is not None:
        points, scores = landmarks.take(skeleton, names, record.keypoints, record.scores)
    made = np.zeros((*scores.shape, 3))
    made[..., :2] = np.round(np.nan_to_num(points.astype(np.float64)), 2)
    made[..., 2] = np.round(scores.astype(np.float64), 4)
    made[made[..., 2] <= 0] = 0
    flat: list[list[float]] = made.reshape(len(made), 3 * made.shape[1]).tolist()
    return flat
