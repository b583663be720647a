"""How the detector's box lies around a person's keypoints, and such a box around later ones."""

from __future__ import annotations

import numpy as np

from posetrack.tracking.motion import to_centres
from posetrack.types import Floats

_LARGEST_SHIFT, _LARGEST_RATIO = 0.5, 2.0  # beyond it the keypoints are of somebody else


def measure_fit(extents: Floats, boxes: Floats) -> Floats:
    """(N, 4) centre offset and log of the size ratio, per axis, of `boxes` to `extents` (N, 4)."""
    around, box = to_centres(extents), to_centres(boxes)
    sizes = np.maximum(around[:, 2:], 1)
    shift = np.clip((box[:, :2] - around[:, :2]) / sizes, -_LARGEST_SHIFT, _LARGEST_SHIFT)
    ratio = np.clip(np.maximum(box[:, 2:], 1) / sizes, 1 / _LARGEST_RATIO, _LARGEST_RATIO)
    return np.concatenate([shift, np.log(ratio)], axis=1, dtype=np.float32)


def fitted_boxes(extents: Floats, fits: Floats) -> Floats:
    """(N, 4) boxes that lie around `extents` (N, 4) as `fits` (N, 4) say; zeros are `extents`."""
    around = to_centres(extents)
    centres, sizes = around[:, :2], around[:, 2:]
    half = np.maximum(sizes * np.exp(fits[:, 2:]), 1) / 2
    middle = centres + fits[:, :2] * sizes
    return np.concatenate([middle - half, middle + half], axis=1, dtype=np.float32)
