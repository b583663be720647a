"""What people wear, sampled along their limbs: an appearance cue that costs next to nothing.

A look is one colour a limb, in CIE Lab (D65, lightness to 255) with two weights: an array (N, S, 5)
for the S limbs of a skeleton that are broad enough to have a colour (torso, arms and legs, not the
face). The first weight tells how much of the limb was seen, the second how much of that is surely
the person's own, outside of everybody else's box.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats, Image, Ints

_BROAD = 0.05
"""COCO's sigma of a keypoint of a broad part; those of faces and hands are smaller."""
_PLACES = np.array([0.25, 0.5, 0.75], np.float32)
_SPREAD = np.float32(30.0)
"""Distance in Lab at which two colours are as different as alike; lightness counts half."""
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS > 0.04045, ((_LEVELS + 0.055) / 1.055) ** 2.4, _LEVELS / 12.92).astype(
    np.float32
)
"""sRGB's intensity of each level (IEC 61966-2-1)."""
_TO_XYZ = np.array(
    [  # of blue, green and red; in shares of D65's white
        [0.189828, 0.072169, 0.872766],
        [0.376219, 0.715160, 0.109477],
        [0.433953, 0.212671, 0.017758],
    ],
    np.float32,
)
_TO_LAB = np.array([[0, 500, 0], [116 * 2.55, -500, 200], [0, 0, -200]], np.float32)
_LEARNING = np.float32(0.1)
_ENOUGH = 3
"""Limbs that two looks must have in common."""


def broad_limbs(skeleton: Skeleton) -> Ints:
    """(S, 2) the limbs that carry a colour."""
    sigmas = skeleton.sigmas
    pairs = [(a, b) for a, b in skeleton.limbs if min(sigmas[a], sigmas[b]) >= _BROAD]
    return np.array(pairs, np.int64).reshape(-1, 2)


def nothing(count: int, limbs: int = 0) -> Floats:
    """Looks of people nobody has looked at."""
    return np.zeros((count, limbs, 5), np.float32)


def look(image: Image, keypoints: Floats, visible: Bools, boxes: Floats, limbs: Ints) -> Floats:
    """(N, S, 5) mean Lab colour of each limb of people (N, K, 2), and its weights in [0, 1]."""
    count, height, width = len(keypoints), *image.shape[:2]
    if not count or not len(limbs):
        return nothing(count, len(limbs))
    first, second = np.repeat(limbs, len(_PLACES), axis=0).T
    start, end = keypoints.take(first, axis=1), keypoints.take(second, axis=1)
    at = start + (end - start) * _shares(len(limbs))  # (N, 3 S, 2)
    within = np.minimum(np.maximum(at, 0), np.array([width - 1, height - 1], np.float32))
    outside = within != at
    seen = visible.take(first, axis=1) & visible.take(second, axis=1)
    seen &= ~(outside[..., 0] | outside[..., 1])
    column, row = within[..., 0].astype(np.intp), within[..., 1].astype(np.intp)
    pixels = image.reshape(-1, 3).take(row * width + column, axis=0)  # (N, 3 S, 3)
    colours = lab(pixels) * seen[..., None]
    looks = np.empty((count, len(limbs), 5), np.float32)
    shape = (count, len(limbs), len(_PLACES))
    weight = seen.reshape(shape).sum(2, dtype=np.float32)
    looks[..., :3] = colours.reshape(*shape, 3).sum(2, dtype=np.float32)
    looks[..., :3] /= np.maximum(weight, 1)[..., None]
    looks[..., 3] = weight / len(_PLACES)
    own = seen & ~_covered(at, boxes)
    looks[..., 4] = own.reshape(shape).sum(2, dtype=np.float32) / len(_PLACES)
    return looks


def lab(pixels: Image) -> Floats:
    """(..., 3) float32 of BGR uint8 pixels: L in 0 to 255, a, b. OpenCV has it too, but its tables
    take 50 to 90 ms at the first call, in the middle of the first frame.
    """
    xyz = _LINEAR.take(pixels) @ _TO_XYZ
    cubic = np.cbrt(xyz)
    straight = xyz * np.float32(7.787) + np.float32(16 / 116)
    colours = np.where(xyz > 0.008856, cubic, straight) @ _TO_LAB
    colours[..., 0] -= 16 * 2.55
    return np.asarray(colours, np.float32)


@cache
def _shares(limbs: int) -> Floats:
    """(3 S, 2) how far along its limb each place is."""
    return np.repeat(np.tile(_PLACES, limbs)[:, None], 2, axis=1)


def _covered(at: Floats, boxes: Floats) -> Bools:
    """(N, P) which of places (N, P, 2) of people lie in somebody else's box (N, 4)."""
    covered = np.zeros(at.shape[:2], np.bool_)
    apart = (boxes[:, None, 0] > boxes[:, 2]) | (boxes[:, None, 1] > boxes[:, 3])
    meet = ~(apart | apart.T)
    meet.flat[:: len(boxes) + 1] = False
    one, other = meet.nonzero()
    if len(one):  # most people are on their own
        x, y = at[..., 0].take(one, axis=0), at[..., 1].take(one, axis=0)
        left, top, right, bottom = boxes.take(other, axis=0).T[..., None]
        inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        crowded = np.flatnonzero(meet.any(axis=1))
        covered[crowded] = np.logical_or.reduceat(inside, one.searchsorted(crowded))
    return covered


def remembered(before: Floats, now: Floats) -> Floats:
    """`before` a little nearer to `now`, (N, S, 5) both, as far as that is the person's own."""
    if not now.shape[1]:
        return now
    sure = now[..., 4:]
    rate = np.where(before[..., 4:] > 0, _LEARNING * sure, sure > 0)
    after = np.empty_like(before)
    after[..., :3] = before[..., :3] + rate * (now[..., :3] - before[..., :3])
    after[..., 3:] = np.maximum(before[..., 4:], sure)
    return after


def likeness(seen: Floats, known: Floats, *, enough: int = _ENOUGH) -> Floats:
    """(N, M) in [0, 1]: how alike looks seen now (N, S, 5) are to known ones (M, S, 5).

    NaN where fewer limbs than `enough` are in both.
    """
    apart = seen[:, None, :, :3] - known[None, :, :, :3]
    apart[..., 0] *= 0.5
    near = np.exp2(-np.einsum("nmsc,nmsc->nms", apart, apart) / _SPREAD**2)
    weight = np.minimum(seen[:, None, :, 3], known[None, :, :, 4])
    total = weight.sum(-1)
    mean = (near * weight).sum(-1) / np.maximum(total, 1e-6)
    return np.asarray(np.where((weight > 0).sum(-1) >= enough, mean, np.nan), np.float32)
