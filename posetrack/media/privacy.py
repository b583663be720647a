"""Heads made unrecognisable: what is left of one is a few averages.

A blur can be undone in part; an average of some hundred pixels cannot. Where the head's keypoints
were not found, everything is covered that may be the head, as the box and the shoulders say.
"""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

from posetrack.media.parts import head_keypoints, outline_keypoints
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats, Image, Result

_CELLS = 5  # averages across the shorter side of what is covered


def hide_heads(image: Image, result: Result, *, threshold: float = 0.3) -> None:
    """Cover the heads of everybody in `result`, in place.

    Args:
        image: of the frame.
        result: its people, the predicted ones too; smoothed and raw keypoints both count.
        threshold: keypoints with a lower score are not trusted.
    """
    poses = result.tracks.poses
    seen = poses.scores >= threshold
    for row, box in enumerate(poses.boxes):
        both = np.concatenate([poses.keypoints[row], result.raw[row]])
        _cover_head(image, both, np.tile(seen[row], 2), box, poses.skeleton)


def _cover_head(image: Image, points: Floats, seen: Bools, box: Floats, skeleton: Skeleton) -> None:
    """One head; `points` (2K, 2) are two versions of the pose, `seen` (2K,)."""
    count = len(skeleton)
    indices = [i for i in head_keypoints(skeleton) if seen[i]]
    longest = float((box[2:] - box[:2]).max())
    # Half a head is a fifteenth of somebody upright.
    body = max(_reach_of_body(points, seen, skeleton), longest / 12)
    if indices:
        head = points[[*indices, *(i + count for i in indices)]]
        centre = (head.min(axis=0) + head.max(axis=0)) / 2
        extent = float(np.linalg.norm(head - centre, axis=1).max())
        # Eyes, ears and nose lie within the middle of a head, its outline does not.
        known = outline_keypoints(skeleton).intersection(indices)
        reach = (1.5 if known else 2.6) * extent
        # Never larger than a person: keypoints far apart are no head.
        _cover_disc(image, centre, min(max(reach, body), longest))
    if len(indices) < max(2, min(3, len(head_keypoints(skeleton)))):
        _cover_rectangle(image, upper_part(box))
        neck = _middle(points, seen, skeleton, "shoulder")
        if neck is not None:
            _cover_disc(image, neck, 2.4 * body)


def upper_part(box: Floats) -> Floats:
    """(4,) the part of a person's box (4,) that holds the head, and a tenth above it.

    A third of a narrow box, more of somebody cut off or crouching, all of one who lies: as deep
    as the box is wide, since a head fills the width of a close-up.
    """
    left, top, right, bottom = box
    height = bottom - top
    deep = min(height, max(height / 3, right - left))
    return np.array([left, top - height / 10, right, top + deep], np.float32)


def _reach_of_body(points: Floats, seen: Bools, skeleton: Skeleton) -> float:
    """The radius of a head that goes with shoulders and hips; 0 where they are not seen."""
    names, radius = skeleton.keypoints, 0.0
    for a, b, share in (
        ("left_shoulder", "right_shoulder", 0.4),
        ("left_shoulder", "left_hip", 0.3),
        ("right_shoulder", "right_hip", 0.3),
    ):
        if a in names and b in names and seen[names.index(a)] and seen[names.index(b)]:
            gap = points[names.index(a)] - points[names.index(b)]
            radius = max(radius, share * float(np.linalg.norm(gap)))
    return radius


def _middle(points: Floats, seen: Bools, skeleton: Skeleton, part: str) -> Floats | None:
    """(2,) between the left and the right `part`; None where not both are seen."""
    names = skeleton.keypoints
    pair = [names.index(name) for name in (f"left_{part}", f"right_{part}") if name in names]
    if len(pair) < 2 or not seen[pair].all():
        return None
    return np.asarray(points[pair].mean(axis=0), np.float32)


def _cover_disc(image: Image, centre: Floats, radius: float) -> None:
    """Average the disc; `radius` px, at least one."""
    radius = max(radius, 1.0)
    x, y = centre.tolist()
    window = _window(image, (x - radius, y - radius, x + radius, y + radius))
    if window is None:
        return
    rows, columns = window
    across = np.arange(columns.start, columns.stop)[None] - x
    down = np.arange(rows.start, rows.stop)[:, None] - y
    inside = across**2 + down**2 <= radius**2
    patch = image[rows, columns]
    patch[inside] = _averaged(patch, 2 * radius / _CELLS)[inside]


def _cover_rectangle(image: Image, box: Floats) -> None:
    window = _window(image, box.tolist())
    if window is not None:
        cell = float((box[2:] - box[:2]).min()) / _CELLS
        image[window] = _averaged(image[window], cell)


def _window(
    image: Image, box: tuple[float, float, float, float] | list[float]
) -> tuple[slice, slice] | None:
    """Rows and columns of `image` that `box` touches; None where it lies outside."""
    left, top, right, bottom = box
    height, width = image.shape[:2]
    columns = slice(max(0, int(min(left, width))), min(width, ceil(max(right, 0)) + 1))
    rows = slice(max(0, int(min(top, height))), min(height, ceil(max(bottom, 0)) + 1))
    if columns.start >= columns.stop or rows.start >= rows.stop:
        return None
    return rows, columns


def _averaged(patch: Image, cell: float) -> Image:
    """`patch` with one mean every `cell` px at most, and smooth between."""
    height, width = patch.shape[:2]
    few = (max(1, int(width / cell)), max(1, int(height / cell)))
    means = cv2.resize(patch, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
