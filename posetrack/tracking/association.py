"""How alike poses are: of one frame among themselves, and with tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posetrack.geometry import (
    box_area,
    box_diagonal,
    clip_boxes,
    keypoints_to_boxes,
    oks_matrix,
)
from posetrack.tracking.fit import fitted_boxes, measure_fit
from posetrack.tracking.looks import look, nothing
from posetrack.tracking.rows import Rows
from posetrack.tracking.rules import Rules
from posetrack.types import Bools, Floats, Image, Ints, Poses

_CHI2_95 = 5.9915  # of 2 degrees of freedom
_NEVER = -np.inf


@dataclass(slots=True)
class People(Rows):
    """Poses of N people with what association needs of them.

    Attributes:
        keypoints: (N, K, 2).
        scores: (N, K).
        boxes: (N, 4) of the whole person.
        visible: (N, K) keypoints at or above the threshold.
        areas: (N,) of the boxes.
        fits: (N, 4) how the boxes lie around the extent of the visible keypoints.
        looks: (N, S, 4) what they wear, see `posetrack.tracking.looks`.
    """

    keypoints: Floats
    scores: Floats
    boxes: Floats
    visible: Bools
    areas: Floats
    fits: Floats
    looks: Floats


def read_people(
    poses: Poses,
    rules: Rules,
    size: tuple[int, int],
    *,
    fits: Floats,
    detected: Bools,
    limbs: Ints | None = None,
    image: Image | None = None,
) -> tuple[People, Bools]:
    """The poses of a frame, and which of them (N,) have enough visible keypoints in the image.

    Args:
        size: (width, height) of the image.
        fits: (N, 4) of the tracks that the boxes came from, NaN for new people.
        detected: (N,) poses whose box is a detection of this frame, which corrects its fit.
        limbs: (S, 2) those that carry a colour, where looks are kept.
        image: the frame, where people are looked at.
    """
    visible = poses.scores >= rules.visible
    enough = visible.sum(axis=1) >= max(rules.min_keypoints, 1)
    if rules.settings.boxes == "fitted":
        # Of all keypoints: a box of the visible ones jumps whenever one of them fades.
        boxes = _extents(poses.keypoints)
        if detected.any():
            measured = measure_fit(boxes, poses.boxes)
            halfway = np.where(np.isnan(fits), measured, (fits + measured) / 2)
            fits = np.where(detected[:, None], halfway, fits)
        boxes = clip_boxes(fitted_boxes(boxes, fits), size)
    else:
        boxes = keypoints_to_boxes(
            poses.keypoints, visible, expand=rules.settings.box_scale, size=size
        )
    looks = nothing(len(poses)) if limbs is None else nothing(len(poses), len(limbs))
    if image is not None and limbs is not None:
        sure = poses.scores >= max(rules.visible, rules.birth_score)
        looks = look(image, poses.keypoints, sure, boxes, limbs)
    areas = box_area(boxes)
    people = People(poses.keypoints, poses.scores, boxes, visible, areas, fits, looks)
    return people, enough & (areas > 0)


def _extents(keypoints: Floats) -> Floats:
    """(N, 4) around all keypoints (N, K, 2)."""
    if not len(keypoints):
        return np.zeros((0, 4), np.float32)
    return np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)


def mean_visible_score(people: People) -> Floats:
    """(N,) mean score of the visible keypoints; 0 without any."""
    total = (people.scores * people.visible).sum(axis=1)
    return np.asarray(total / np.maximum(people.visible.sum(axis=1, dtype=np.float32), 1))


def strong(people: People, rules: Rules) -> Bools:
    """(N,) poses good enough to begin a track or to bring a lost one back."""
    return mean_visible_score(people) >= rules.birth_score


def oks_between(a: People, b: People, rules: Rules) -> Floats:
    """(N, M) OKS under ``settings.oks_scale``; 0 where two poses share no visible keypoint."""
    if rules.settings.oks_scale == "mmdeploy":
        mean = (box_diagonal(a.boxes)[:, None] + box_diagonal(b.boxes)[None]) / 2
        scale_sq, visible = np.asarray(mean**2, np.float32), None
    else:
        scale_sq = (a.areas[:, None] + b.areas[None]) / np.float32(2)
        visible = a.visible[:, None] & b.visible[None]
    return oks_matrix(
        a.keypoints, b.keypoints, variance=rules.variance, scale_sq=scale_sq, visible=visible
    )


def distance_scores(rows: People, tracks: People, rules: Rules, age_frames: Ints) -> Floats:
    """(N, T) MMDeploy's first-stage similarity, at most 1; higher is better.

    The share of keypoints inside the chi-square gate minus their mean squared Mahalanobis
    distance; -inf with too few inside. MMDeploy resets each keypoint's filter to its measurement
    in every frame, so the filter stands still and its variance is a closed form of the track's age
    `age_frames` (T,), from 1, in units of the person's size.
    """
    noise = rules.noise
    spread = 5 * noise.measured**2 + noise.position**2
    growing = spread + noise.initial_speed**2 * (2 * age_frames - 1)  # (T,)
    sides = np.maximum(tracks.boxes[:, 2:] - tracks.boxes[:, :2], 1)
    variance = np.asarray(growing * sides[:, 0] * sides[:, 1], np.float32)
    offset = rows.keypoints[:, None] - tracks.keypoints[None]
    distance = np.einsum("ntkc,ntkc->ntk", offset, offset) / variance[None, :, None]
    inside = distance < _CHI2_95
    count = inside.sum(axis=2)
    mean = (distance * inside).sum(axis=2) / np.maximum(count, 1)
    score = count / inside.shape[2] - mean
    return np.asarray(np.where(count >= rules.min_keypoints, score, _NEVER), np.float32)


def load_solver() -> Callable[..., tuple[Ints, Ints]]:
    """SciPy's optimal assignment; the first call takes half a second, most runs never need it."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment


def nobody_competes(rows: Ints, columns: Ints) -> bool:
    """Whether no row and no column of these pairs comes twice."""
    count = len(rows)
    return len(set(rows.tolist())) == count and len(set(columns.tolist())) == count


def pair(similarity: Floats, threshold: float, method: str = "greedy") -> tuple[Ints, Ints]:
    """Rows and columns paired by similarity (N, M) at or above `threshold`, each once at most.

    ``greedy`` takes the highest similarity first; ``optimal`` the highest sum.
    """
    allowed = similarity >= threshold
    rows, columns = allowed.nonzero()
    if nobody_competes(rows, columns):
        return rows, columns
    rivals = np.minimum(allowed.sum(axis=1)[:, None], allowed.sum(axis=0))
    # Where of every allowed pair one side has no other choice, the best pair first is optimal too.
    if method == "optimal" and rivals[allowed].max() > 1:
        linear_sum_assignment = load_solver()
        # A forbidden pair must cost more than all allowed pairs together can win.
        span = np.ptp(similarity[allowed]) + 1
        forbidden = similarity[allowed].min() - span * sum(similarity.shape)
        rows, columns = linear_sum_assignment(
            np.where(allowed, similarity, forbidden), maximize=True
        )
        good = allowed[rows, columns]
        return rows[good], columns[good]
    left = np.where(allowed, similarity, _NEVER)
    pairs: list[tuple[int, int]] = []
    while left.size:
        row, column = divmod(int(left.argmax()), left.shape[1])
        if left[row, column] == _NEVER:
            break
        pairs.append((row, column))
        left[row], left[:, column] = _NEVER, _NEVER
    chosen = np.array(pairs, np.int64)
    return chosen[:, 0], chosen[:, 1]
