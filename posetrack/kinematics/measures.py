"""Speeds, symmetry and size of one person over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.kinematics import landmarks
from posetrack.kinematics.rig import Rig
from posetrack.skeletons import Skeleton

Doubles = npt.NDArray[np.float64]

LEG_SHARE = 0.491
"""Thigh and shank together, of the standing height (Winter, Biomechanics and Motor Control of
Human Movement, 2009, figure 4.1)."""
_STRETCHED = 90  # percentile of a leg's length in the picture that counts as seen from the side
_FEWEST = 5  # frames that a scale or a range of motion needs


def speeds(positions: npt.ArrayLike, times_s: npt.ArrayLike) -> Doubles:
    """(F, ...) per second, of positions (F, ..., D) at times (F,): central differences.

    A frame beside a missing one takes the difference to its other neighbour; one between two
    missing ones has none (NaN).
    """
    points, times = np.asarray(positions, np.float64), np.asarray(times_s, np.float64)
    speed = np.full(points.shape[:-1], np.nan)
    for before, after in ((1, 0), (0, 1), (1, 1)):  # the last, over both sides, is the best
        low = slice(0, len(points) - before - after)
        high = slice(before + after, len(points))
        middle = slice(before, len(points) - after)
        took = (times[high] - times[low]).reshape(-1, *[1] * (points.ndim - 2))
        found = np.linalg.norm(points[high] - points[low], axis=-1) / took
        here = np.isfinite(points[middle]).all(axis=-1) & np.isfinite(found)
        speed[middle][here] = found[here]
    return speed


def range_of_motion(values: npt.ArrayLike) -> float:
    """Degrees between the 5th and the 95th percentile; NaN of fewer than 5 frames."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < _FEWEST:
        return float("nan")
    low, high = np.percentile(known, (5, 95))
    return float(high - low)


def symmetry_index(left: float, right: float) -> float:
    """Percent by which `right` exceeds `left`, of their mean (Robinson et al., 1987); 0 is even."""
    mean = (left + right) / 2
    return 100 * (right - left) / mean if mean else 0.0


def px_per_m(
    skeleton: Skeleton, keypoints: npt.ArrayLike, scores: npt.ArrayLike, height_m: float
) -> float:
    """Scale of a picture in which somebody of this height has keypoints (F, K, 2).

    The length of his legs is compared with their share of the height. It holds in the plane he
    moves in.

    Raises:
        ConfigError: his legs are not seen, or not in the keypoint set.
    """
    lengths = []
    for side in ("left", "right"):
        names = [f"{side}_{joint}" for joint in ("hip", "knee", "ankle")]
        points, _ = landmarks.take(skeleton, names, keypoints, scores)
        lengths.append(np.linalg.norm(np.diff(points, axis=-2), axis=-1).sum(axis=-1))
    found = np.concatenate(lengths)
    found = found[np.isfinite(found)]
    if len(found) < _FEWEST:
        raise ConfigError(
            f"--height {height_m:g}: legs are seen in {len(found)} frames, {_FEWEST} are needed "
            "for a scale; give --px-per-m instead"
        )
    return float(np.percentile(found, _STRETCHED)) / (LEG_SHARE * height_m)


def px_per_m_in_space(rig: Rig, places: Mapping[str, Doubles], height_m: float) -> Doubles:
    """(F,) scales at which the bones of somebody of this height are as long as they should be.

    The least squares of what is left between a bone's length in space and its share of the height:
    a bone across the picture tells most. NaN where none is seen, or no scale fits.

    Args:
        rig: the bones.
        places: landmark -> (F, 3), x and y in px, z in metres.
        height_m: standing.
    """
    joints = {bone.name: bone.joint for bone in rig.bones}
    spans = {
        (joints[bone.parent], bone.joint): height_m * bone.share
        for bone in rig.bones
        if bone.parent is not None and bone.share
    }
    along = np.stack([places[end] - places[begin] for begin, end in spans])  # (S, F, 3)
    lengths = np.array(list(spans.values()))[:, None]
    across, left = (along[..., :2] ** 2).sum(axis=-1), lengths**2 - along[..., 2] ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.nansum(across**2, axis=0) / np.nansum(across * left, axis=0)
        return np.sqrt(np.where(square > 0, square, np.nan))
