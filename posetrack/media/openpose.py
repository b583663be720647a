"""People as OpenPose draws them: eighteen points with a neck, limbs as spindles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from posetrack.skeletons import Skeleton, load_skeleton
from posetrack.types import Floats, Poses

# In the order of OpenPose's colours: neck to shoulders first, ears last.
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12),
    (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_CORNERS = 24
_TURN = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False, dtype=np.float32)


@cache
def eighteen() -> Skeleton:
    """The keypoints of OpenPose's COCO model, limbs in the order of their colours."""
    return replace(load_skeleton("coco_openpose"), limbs=_LIMBS)


def with_neck(poses: Poses) -> Poses:
    """COCO's 17 points as OpenPose's 18, the neck midway between the shoulders and as sure as the
    less sure of them; poses of another set as they are.
    """
    names = poses.skeleton.keypoints
    wanted = eighteen().keypoints
    if len(names) != len(wanted) - 1 or set(names) != set(wanted) - {"neck"}:
        return poses
    shoulders = [names.index("left_shoulder"), names.index("right_shoulder")]
    neck = poses.keypoints[:, shoulders].mean(axis=1)
    sure = poses.scores[:, shoulders].min(axis=1)
    order = [names.index(name) if name in names else len(names) for name in wanted]
    return Poses(
        np.concatenate([poses.keypoints, neck[:, None]], axis=1)[:, order],
        np.concatenate([poses.scores, sure[:, None]], axis=1)[:, order],
        poses.boxes,
        poses.box_scores,
        eighteen(),
    )


def spindles(ends: Floats, width: float) -> Floats:
    """(S, 24, 2) outlines of ellipses from end to end of strokes (S, 2, 2), `width` px thick."""
    middle, half = ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / 2  # (S, 2)
    length = np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    across = half[:, ::-1] / length * np.array([-width / 2, width / 2], np.float32)
    along, aside = np.cos(_TURN)[:, None], np.sin(_TURN)[:, None]
    outlines = middle[:, None] + along * half[:, None] + aside * across[:, None]
    return np.asarray(outlines, np.float32)
