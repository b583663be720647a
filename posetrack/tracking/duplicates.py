"""Poses of one frame that are one person twice."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from posetrack.geometry import greedy_nms, intersection
from posetrack.tracking.association import People
from posetrack.tracking.rules import Rules
from posetrack.types import Bools, Floats, Ints

_NESTED = np.float32(0.9)
"""So much of the smaller box lies in the larger one of two that are nested."""
_SAME_POINT = -2 * math.log(0.7)
"""Squared distance, in OKS's variances of the smaller person, of two that are one keypoint."""
_SHARED = 6
"""One keypoint of so many shared by two poses is a limb that only one of them can have."""


def keep_one_each(
    similarity: Floats,
    usable: Bools,
    rank: Callable[[], Ints],
    threshold: float,
    *,
    apart: Callable[[], Bools] | None = None,
) -> Bools:
    """(N,) usable rows left when of every two that are one person the lower rank goes.

    Args:
        similarity: (N, N), symmetric.
        usable: (N,) rows that take part.
        rank: makes the (N,) distinct ranks, higher stays; most frames do not need them.
        apart: makes the (N, N) pairs that are two however similar they are.
    """
    same = (similarity >= threshold) & usable & usable[:, None]
    if np.count_nonzero(same) <= np.count_nonzero(usable):
        return usable  # each is only itself
    if apart is not None:
        similarity = np.where(apart(), 0, similarity)
    index = np.flatnonzero(usable)
    left = np.zeros(len(usable), bool)
    chosen = similarity[np.ix_(index, index)]
    left[index] = greedy_nms(rank()[index].astype(float), chosen, threshold)
    return left


def without_nested(
    people: People, left: Bools, known: Callable[[], Bools], oks: Floats, rules: Rules
) -> Bools:
    """(N,) rows `left` without figures drawn over somebody who is seen better.

    A crop that holds a person and something like one, or parts of two, gives a figure that
    stretches over both: its box holds the person's, or lies in it, and some of its limbs are the
    person's. So that people who cross are not taken for one, who is known goes only for the limbs.

    Args:
        known: makes the (N,) who were seen in the last frame; most frames do not need it.
        oks: (N, N) of the poses.
    """
    least = rules.settings.nested_oks
    if least is None or rules.settings.pose_similarity != "oks":
        return left
    alike = (oks >= least) & left & left[:, None]
    if np.count_nonzero(alike) <= np.count_nonzero(left):
        return left  # each is only itself
    smaller = np.minimum(people.areas[:, None], people.areas)
    alike &= intersection(people.boxes, people.boxes) >= _NESTED * smaller
    total = people.scores.sum(axis=1)
    place = np.empty(len(total), np.int64)
    place[np.argsort(-total, kind="stable")] = np.arange(len(total))
    worse = place[:, None] > place
    rows, others = (alike & worse).nonzero()
    if not len(rows):
        return left
    offset = people.keypoints[rows] - people.keypoints[others]
    limit = _SAME_POINT * smaller[rows, others, None] * rules.variance  # (P, K)
    one = (offset * offset).sum(axis=-1) < limit
    one &= people.visible[rows] & people.visible[others]
    goes = ~known()[rows] | (one.sum(axis=1) * _SHARED >= one.shape[1])
    drawn_over = np.zeros_like(alike)
    drawn_over[rows[goes], others[goes]] = True
    drawn_over |= drawn_over.T
    return left & greedy_nms(-place.astype(float), drawn_over.astype(np.float32), 0.5)
