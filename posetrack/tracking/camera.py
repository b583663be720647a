"""How the camera moved between two frames, from what stands still in them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.types import Floats, Image

Doubles = npt.NDArray[np.float64]

_WIDTH = 320
"""Columns of the small picture in which points are followed."""
_POINTS = 200
_FEWEST = 12
"""Points that must agree; a picture of sky and people says nothing."""
_MOST_GROWTH = 1.2
"""Zoom from one frame to the next that is believed."""


class CameraMotion:
    """Follows corners from frame to frame, people left out, for one stream.

    Bouguet's pyramidal Lucas-Kanade and RANSAC, as in BoT-SORT (arXiv:2206.14651, section 3.2).
    """

    def __init__(self) -> None:
        self._before: Image | None = None

    def __call__(self, image: Image, people: Floats) -> Doubles:
        """(2, 3) what takes points of the last frame to this one: turn, zoom and shift.

        No motion where none can be told: the first frame, a cut, nothing to hold on to.

        Args:
            people: (N, 4) boxes in the last frame.
        """
        step = max(image.shape[1] / _WIDTH, 1.0)
        size = (round(image.shape[1] / step), round(image.shape[0] / step))
        small = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        now = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        before, self._before = self._before, now
        still = np.eye(2, 3)
        if before is None or before.shape != now.shape:
            return still
        free = np.full(before.shape, 255, np.uint8)
        for left, top, right, bottom in np.clip(people / step, 0, None).astype(int).tolist():
            free[top : bottom + 1, left : right + 1] = 0
        corners = cv2.goodFeaturesToTrack(before, _POINTS, 0.01, 6, mask=free)
        if corners is None or len(corners) < _FEWEST:
            return still
        moved, found, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, None)
        good = found[:, 0] == 1
        if good.sum() < _FEWEST:
            return still
        matrix, agree = cv2.estimateAffinePartial2D(
            corners[good], moved[good], ransacReprojThreshold=1.0
        )
        if matrix is None or agree.sum() < max(_FEWEST, good.sum() / 2):
            return still
        if abs(math.log(math.hypot(matrix[0, 0], matrix[1, 0]))) > math.log(_MOST_GROWTH):
            return still
        matrix[:, 2] *= step
        return np.asarray(matrix, np.float64)


def zoom(matrix: Doubles) -> float:
    """By how much lengths grow."""
    return math.hypot(matrix[0, 0], matrix[1, 0])
