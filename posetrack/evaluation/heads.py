"""How large a person's head is in the picture, for PCKh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from posetrack.datasets.annotations import Person
from posetrack.skeletons import Skeleton
from posetrack.types import Floats

HEAD_ENDS = (
    ("head_top", "upper_neck"),
    ("head_top", "neck"),
    ("head_top", "head_bottom"),
    ("top_head", "neck"),
    ("head", "neck"),
)
"""Keypoint names of the two ends of a head, as published sets call them."""

BOX_FACTOR = 0.6
"""MPII's head size is this share of the diagonal of the head's box."""


def head_sizes(people: Sequence[Person], skeleton: Skeleton) -> Floats:
    """(N,) px, 0 where it is not known.

    From the annotation's ``head_box`` (x, y, w, h), as MPII has it; else the distance from neck to
    top of the head, from its ``extra`` points or from keypoints of the skeleton.
    """
    return np.array([_head_size(person, skeleton) for person in people], np.float32)


def _head_size(person: Person, skeleton: Skeleton) -> float:
    box = person.row.get("head_box")
    if box:
        return float(BOX_FACTOR * np.hypot(box[2], box[3]))
    points = _known_points(person, skeleton)
    for top, bottom in HEAD_ENDS:
        if top in points and bottom in points:
            return float(np.linalg.norm(points[top] - points[bottom]))
    return 0.0


def _known_points(person: Person, skeleton: Skeleton) -> dict[str, Floats]:
    extra: dict[str, Any] = person.row.get("extra") or {}
    points = {
        name: np.array(value[:2], np.float32) for name, value in extra.items() if _is_point(value)
    }
    for index, name in enumerate(skeleton.keypoints):
        if person.labelled[index] > 0:
            points[name] = person.keypoints[index]
    return points


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and value[2] > 0
