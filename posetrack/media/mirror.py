"""A result as a mirror shows it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from posetrack.types import Floats, Result


def mirrored(result: Result) -> Result:
    """`result` with picture and people turned left to right.

    What is a left wrist stays one, in its new place: the pose was read from the picture as the
    camera saw it, which mirroring the input would not do.
    """
    frame, tracks = result.frame, result.tracks
    image = np.asarray(cv2.flip(frame.image, 1), np.uint8)
    last = image.shape[1] - 1
    poses = replace(
        tracks.poses,
        keypoints=_turned(tracks.poses.keypoints, last),
        boxes=_turned(tracks.poses.boxes[:, [2, 1, 0, 3]].reshape(-1, 2, 2), last).reshape(-1, 4),
    )
    heat = result.heat
    if heat is not None:
        turn = np.array([[-1, 0], [0, 1]], np.float32)
        heat = replace(
            heat, placements=turn @ heat.placements + np.array([[0, 0, last], [0, 0, 0]])
        )
    return replace(
        result,
        frame=replace(frame, image=image),
        tracks=replace(tracks, poses=poses),
        raw=_turned(result.raw, last),
        heat=heat,
    )


def _turned(points: Floats, last: int) -> Floats:
    """(N, K, 2) points in a picture whose last column is `last`."""
    turned = points.copy()
    turned[..., 0] = last - turned[..., 0]
    return turned
