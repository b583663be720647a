"""What people wear, sampled along their limbs: an appearance cue that costs next to nothing.

A look is one colour a limb, in CIE Lab with a weight: an array (N, S, 4) for the S limbs of a
skeleton that are broad enough to have a colour (torso, arms and legs, not the face).
"""

from __future__ import annotations

import cv2
import numpy as np

from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats, Image, Ints

_BROAD = 0.05
"""COCO's sigma of a keypoint of a broad part; those of faces and hands are smaller."""
_PLACES = np.array([0.25, 0.5, 0.75], np.float32)
_SPREAD = np.float32(30.0)
"""Distance in Lab at which two colours are as different as alike; lightness counts half."""
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
    return np.zeros((count, limbs, 4), np.float32)


def look(image: Image, keypoints: Floats, visible: Bools, boxes: Floats, limbs: Ints) -> Floats:
    """(N, S, 4) mean Lab colour of each limb of people (N, K, 2), and its weight in [0, 1].

    Places outside the picture and in somebody else's box do not count: whose colour they show is
    not known.
    """
    count, height, width = len(keypoints), *image.shape[:2]
    if not count or not len(limbs):
        return nothing(count, len(limbs))
    start, end = keypoints[:, limbs[:, 0]], keypoints[:, limbs[:, 1]]
    at = start[:, :, None] + (end - start)[:, :, None] * _PLACES[:, None]  # (N, S, 3, 2)
    seen = (visible[:, limbs[:, 0]] & visible[:, limbs[:, 1]])[..., None]
    seen = seen & (at >= 0).all(-1) & (at[..., 0] <= width - 1) & (at[..., 1] <= height - 1)
    apart = (boxes[:, None, :2] > boxes[None, :, 2:]).any(-1)
    for one, other in np.argwhere(~(apart | apart.T)):  # most people are on their own
        if one != other:
            x, y = at[one, ..., 0], at[one, ..., 1]
            x0, y0, x1, y1 = boxes[other]
            seen[one] &= ~((x >= x0) & (y >= y0) & (x <= x1) & (y <= y1))
    x = np.clip(at[..., 0], 0, width - 1).astype(np.intp)
    y = np.clip(at[..., 1], 0, height - 1).astype(np.intp)
    pixels = image[y, x].reshape(1, -1, 3)
    lab = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB).reshape(*at.shape[:3], 3).astype(np.float32)
    weight = seen.sum(-1, dtype=np.float32)  # (N, S)
    colour = (lab * seen[..., None]).sum(2) / np.maximum(weight, 1)[..., None]
    return np.concatenate([colour, weight[..., None] / len(_PLACES)], axis=-1)


def remembered(before: Floats, now: Floats) -> Floats:
    """`before` a little nearer to `now`, (N, S, 4) both; a limb first seen now is as now."""
    rate = np.where(before[..., 3] > 0, _LEARNING * now[..., 3], 1.0)[..., None]
    colour = before[..., :3] + rate * (now[..., :3] - before[..., :3])
    weight = np.maximum(before[..., 3], now[..., 3])[..., None]
    return np.concatenate([colour, weight], axis=-1, dtype=np.float32)


def likeness(a: Floats, b: Floats) -> Floats:
    """(N, M) in [0, 1]: how alike looks (N, S, 4) and (M, S, 4) are; 0 with too little to see."""
    apart = a[:, None, :, :3] - b[None, :, :, :3]
    apart[..., 0] *= 0.5
    near = np.exp2(-np.einsum("nmsc,nmsc->nms", apart, apart) / _SPREAD**2)
    weight = np.minimum(a[:, None, :, 3], b[None, :, :, 3])
    total = weight.sum(-1)
    mean = (near * weight).sum(-1) / np.maximum(total, 1e-6)
    return np.asarray(np.where((weight > 0).sum(-1) >= _ENOUGH, mean, 0), np.float32)
