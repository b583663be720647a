"""Found keypoints against annotated ones.

Only annotated keypoints count, never machine-made ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from posetrack.datasets.annotations import Person
from posetrack.evaluation.heads import head_sizes
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats

AUC_LIMIT = 0.2
"""`auc` is the area under the PCK curve up to this share of the box's longer side."""

AUC_PX, AUC_STEPS = 30.0, 20
"""What MMPose's AUC divides distances by, and its number of thresholds."""


EYE_CORNERS = {
    "300w": (36, 45),
    "coco_wholebody_face": (36, 45),
    "cofw": (8, 9),
    "wflw": (60, 72),
    "lapa": (66, 79),
}
"""The outer corners of the eyes, whose distance divides the NME of faces."""

NOT_IN_PCKH = ("pelvis", "thorax")
"""MPII's score is the mean over its joints without these."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How far off each keypoint of N people is.

    Attributes:
        distance: (N, K) px; infinite where nobody was found.
        seen: (N, K) annotated.
        sides: (N,) longer side of the true box, px.
        diagonals: (N,) square root of the box's area, px.
        oks: (N,) COCO's object keypoint similarity.
    """

    distance: Floats
    seen: Bools
    sides: Floats
    diagonals: Floats
    oks: Floats

    @classmethod
    def of(cls, people: Sequence[Person], keypoints: Floats, skeleton: Skeleton) -> Self:
        """Of predictions (N, K, 2) in source px, row-aligned with `people`.

        OKS is COCO's formula: the person's area and (2 sigma)^2.
        """
        k = len(skeleton)
        truth = np.array([p.keypoints for p in people], np.float32).reshape(-1, k, 2)
        seen = np.array([p.labelled for p in people]).reshape(-1, k) > 0
        boxes = np.array([p.box for p in people], np.float32).reshape(-1, 4)
        areas = np.array([p.area for p in people], np.float32)
        edges = boxes[:, 2:] - boxes[:, :2]
        distance = np.linalg.norm(keypoints - truth, axis=-1)
        variance = (2 * np.array(skeleton.sigmas)) ** 2
        near = np.exp(-(distance**2) / (2 * np.maximum(areas, 1)[:, None] * variance))
        oks = (near * seen).sum(1) / np.maximum(seen.sum(1), 1)
        return cls(distance, seen, edges.max(1), np.sqrt(edges.prod(1)), oks)

    @property
    def relative(self) -> Floats:
        """(N, K) distances as shares of the box's longer side."""
        return np.asarray(self.distance / np.maximum(self.sides, 1e-6)[:, None], np.float32)


def pose_metrics(
    people: Sequence[Person], keypoints: Floats, skeleton: Skeleton
) -> dict[str, float]:
    """PCK at 0.1 and 0.2 of the box's longer side, mean OKS and the share of OKS above .5.

    PCK pools keypoints, OKS averages people.

    Args:
        keypoints: (N, K, 2) predictions in source px, row-aligned with `people`.
    """
    if not people:
        return {}
    return _short(Errors.of(people, keypoints, skeleton))


def by_source(
    people: Sequence[Person], keypoints: Floats, skeleton: Skeleton
) -> dict[str, dict[str, float]]:
    """`pose_metrics` pooled and for each source."""
    table = {"all": pose_metrics(people, keypoints, skeleton)}
    for source in sorted({p.picture.source for p in people}):
        rows = [i for i, p in enumerate(people) if p.picture.source == source]
        table[source] = pose_metrics([people[i] for i in rows], keypoints[rows], skeleton)
    return table


def all_metrics(
    people: Sequence[Person],
    keypoints: Floats,
    skeleton: Skeleton,
    *,
    pair: tuple[int, int] | None = None,
) -> dict[str, float | None]:
    """`pose_metrics`, and PCKh, AUC, EPE and NME; None where the data does not tell.

    Args:
        keypoints: (N, K, 2) predictions in source px, row-aligned with `people`; infinite for
            somebody who was not found (EPE and NME leave them out).
        pair: keypoints whose distance divides for NME; by default the outer corners of the eyes of
            a face's keypoint set, of others the root of the box's area.
    """
    if not people:
        return {}
    errors = Errors.of(people, keypoints, skeleton)
    relative = errors.relative[errors.seen]
    found = errors.seen & np.isfinite(errors.distance)
    pair = pair or EYE_CORNERS.get(skeleton.name)
    scale = errors.diagonals if pair is None else _between(people, pair)
    return {
        **_short(errors),
        "pckh@0.5": pckh(people, errors, skeleton),
        "auc": float(np.clip(1 - relative / AUC_LIMIT, 0, 1).mean()),
        "auc@30px": pixel_auc(errors),
        "epe_px": float(errors.distance[found].mean()) if found.any() else None,
        "nme": nme(errors, scale),
    }


def pckh(people: Sequence[Person], errors: Errors, skeleton: Skeleton) -> float | None:
    """Share of keypoints within half a head size; None where no head size is known.

    Source: MPII's evaluation, as MMPose has it: `NOT_IN_PCKH` do not count.
    """
    heads = head_sizes(people, skeleton)
    counted = [name not in NOT_IN_PCKH for name in skeleton.keypoints]
    seen = errors.seen & (heads > 0)[:, None] & np.array(counted)
    if not seen.any():
        return None
    near = errors.distance <= 0.5 * heads[:, None]
    return float(near[seen].mean())


def pixel_auc(errors: Errors) -> float:
    """Area under the PCK curve up to 30 px, at 20 thresholds, averaged over keypoints.

    Source: MMPose's ``keypoint_auc`` with its defaults; a keypoint that is nowhere annotated does
    not count.
    """
    columns = np.flatnonzero(errors.seen.any(axis=0))
    thresholds = np.arange(AUC_STEPS) / AUC_STEPS * AUC_PX
    curves = []
    for column in columns:
        distance = errors.distance[errors.seen[:, column], column]
        curves.append((distance[:, None] < thresholds).mean())
    return float(np.mean(curves)) if curves else 0.0


def nme(errors: Errors, scale: Floats) -> float | None:
    """Mean over people of their mean distance divided by `scale` (N,), where that is above 0."""
    found = errors.seen & np.isfinite(errors.distance)
    rows = np.flatnonzero(found.any(axis=1) & (scale > 0))
    means = [errors.distance[row][found[row]].mean() / scale[row] for row in rows]
    return float(np.mean(means)) if means else None


def per_keypoint(errors: Errors) -> list[dict[str, float]]:
    """For each keypoint how many are annotated, and PCK@0.1, median and p90 of relative errors."""
    rows = []
    for column in range(errors.seen.shape[1]):
        relative = errors.relative[errors.seen[:, column], column]
        row = {"annotated": float(len(relative))}
        if len(relative):
            low, high = np.percentile(relative, (50, 90), method="lower")
            row |= {"pck@0.1": float((relative <= 0.1).mean())}
            row |= {"median": float(low), "p90": float(high)}
        rows.append(row)
    return rows


def _short(errors: Errors) -> dict[str, float]:
    relative = errors.relative[errors.seen]
    return {
        "pck@0.1": float((relative <= 0.1).mean()),
        "pck@0.2": float((relative <= 0.2).mean()),
        "oks": float(errors.oks.mean()),
        "oks>.5": float((errors.oks > 0.5).mean()),
        "people": float(len(errors.oks)),
    }


def _between(people: Sequence[Person], pair: tuple[int, int]) -> Floats:
    """(N,) px between two annotated keypoints, 0 where one of them is not annotated."""
    a, b = pair
    known = np.array([p.labelled[a] > 0 and p.labelled[b] > 0 for p in people])
    apart = np.array([np.linalg.norm(p.keypoints[a] - p.keypoints[b]) for p in people])
    return np.asarray(apart * known, np.float32)
