"""What people wear, sampled along their limbs: an appearance cue that costs next to nothing.

A look is one colour a limb, in CIE Lab with two weights: an array (N, S, 5) for the S limbs of a
skeleton that are broad enough to have a colour (torso, arms and legs, not the face). The first
weight tells how much of the limb was seen, the second how much of that is surely the person's own,
outside of everybody else's box.
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
    return np.zeros((count, limbs, 5), np.float32)


def look(image: Image, keypoints: Floats, visible: Bools, boxes: Floats, limbs: Ints) -> Floats:
    """(N, S, 5) mean Lab colour of each limb of people (N, K, 2), and its weights in [0, 1]."""
    count, height, width = len(keypoints), *image.shape[:2]
    if not count or not len(limbs):
        return nothing(count, len(limbs))
    start, end = keypoints[:, limbs[:, 0]], keypoints[:, limbs[:, 1]]
    at = start[:, :, None] + (end - start)[:, :, None] * _PLACES[:, None]  # (N, S, 3, 2)
    seen = (visible[:, limbs[:, 0]] & visible[:, limbs[:, 1]])[..., None]
    seen = seen & (at >= 0).all(-1) & (at[..., 0] <= width - 1) & (at[..., 1] <= height - 1)
    own = seen
    apart = (boxes[:, None, :2] > boxes[None, :, 2:]).any(-1)
    one, other = np.nonzero(~(apart | apart.T | np.eye(count, dtype=np.bool_)))
    if len(one):  # most people are on their own
        here, box = at[one], boxes[other][:, None, None]
        inside = ((here >= box[..., :2]) & (here <= box[..., 2:])).all(-1)
        covered = np.zeros_like(seen)
        np.logical_or.at(covered, one, inside)
        own = seen & ~covered
    x = np.clip(at[..., 0], 0, width - 1).astype(np.intp)
    y = np.clip(at[..., 1], 0, height - 1).astype(np.intp)
    pixels = image[y, x].reshape(1, -1, 3)
    lab = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB).reshape(*at.shape[:3], 3).astype(np.float32)
    weights = np.stack([seen, own], axis=-1).sum(2, dtype=np.float32)  # (N, S, 2)
    colour = (lab * seen[..., None]).sum(2) / np.maximum(weights[..., :1], 1)
    return np.concatenate([colour, weights / len(_PLACES)], axis=-1)


def remembered(before: Floats, now: Floats) -> Floats:
    """`before` a little nearer to `now`, (N, S, 5) both, as far as that is the person's own."""
    if not now.shape[1]:
        return now
    sure = now[..., 4:]
    rate = np.where(before[..., 4:] > 0, _LEARNING * sure, sure > 0)
    colour = before[..., :3] + rate * (now[..., :3] - before[..., :3])
    weights = np.maximum(before[..., 4:], sure)
    return np.concatenate([colour, weights, weights], axis=-1, dtype=np.float32)


def likeness(seen: Floats, known: Floats) -> Floats:
    """(N, M) in [0, 1]: how alike looks seen now (N, S, 5) are to known ones (M, S, 5).

    NaN with too little to compare.
    """
    apart = seen[:, None, :, :3] - known[None, :, :, :3]
    apart[..., 0] *= 0.5
    near = np.exp2(-np.einsum("nmsc,nmsc->nms", apart, apart) / _SPREAD**2)
    weight = np.minimum(seen[:, None, :, 3], known[None, :, :, 4])
    total = weight.sum(-1)
    mean = (near * weight).sum(-1) / np.maximum(total, 1e-6)
    return np.asarray(np.where((weight > 0).sum(-1) >= _ENOUGH, mean, np.nan), np.float32)
