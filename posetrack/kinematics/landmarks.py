"""The same place on the body, whatever a keypoint set calls it.

A landmark is named as in COCO (``left_knee``); `OTHER_NAMES` says what other sets write. Five are
also the middle of two others where a set does not have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

from posetrack.skeletons import Skeleton

Doubles = npt.NDArray[np.float64]

OTHER_NAMES = {
    "hip": ("mid_hip", "pelvis", "root"),
    "neck": ("head_bottom", "upper_neck", "neck_base", "thorax"),
    "head": ("head_top", "top_head"),
    "left_ankle": ("left_foot",),
    "right_ankle": ("right_foot",),
}
"""Landmark -> what it is called elsewhere, the nearest first."""

MIDDLES = {
    "hip": ("left_hip", "right_hip"),
    "neck": ("left_shoulder", "right_shoulder"),
    "ears": ("left_ear", "right_ear"),
    "left_toes": ("left_big_toe", "left_small_toe"),
    "right_toes": ("right_big_toe", "right_small_toe"),
}
"""Landmark -> the two it lies between; both must be there."""


@cache
def sources(skeleton: Skeleton, landmark: str) -> tuple[int, ...]:
    """Indices of the keypoints whose mean is `landmark`; none where the set has no such place."""
    known = _known(skeleton)
    same = next((name for name, more in OTHER_NAMES.items() if landmark in more), landmark)
    for name in (landmark, same, *OTHER_NAMES.get(same, ())):
        if name in known:
            return (known[name],)
    pair = MIDDLES.get(same, ())
    found = tuple(known[name] for name in pair if name in known)
    return found if len(found) == len(pair) else ()


def has(skeleton: Skeleton, landmarks: Iterable[str]) -> bool:
    """Whether a set has all of them."""
    return all(sources(skeleton, name) for name in landmarks)


def take(
    skeleton: Skeleton, landmarks: Iterable[str], keypoints: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[Doubles, Doubles]:
    """Positions (..., L, D) and scores (..., L) of landmarks, from (..., K, D) and (..., K).

    A middle has the lower score of its two. What is missing is NaN with score 0.
    """
    points, weights = np.asarray(keypoints, np.float64), np.asarray(scores, np.float64)
    names = list(landmarks)
    positions = np.full((*points.shape[:-2], len(names), points.shape[-1]), np.nan)
    found = np.zeros((*weights.shape[:-1], len(names)))
    for place, name in enumerate(names):
        from_ = list(sources(skeleton, name))
        if from_:
            positions[..., place, :] = points[..., from_, :].mean(axis=-2)
            found[..., place] = weights[..., from_].min(axis=-1)
    positions[found <= 0] = np.nan
    return positions, found


@cache
def _known(skeleton: Skeleton) -> dict[str, int]:
    return {_plain(name): index for index, name in enumerate(skeleton.keypoints)}


def _plain(name: str) -> str:
    """``RightKnee``, ``R_Knee`` and ``right-knee`` as ``right_knee``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_").replace(" ", "_")
    return re.sub(r"^l_", "left_", re.sub(r"^r_", "right_", words))
