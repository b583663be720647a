"""Accuracy of keypoints and boxes, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posetrack.datasets.annotations import Person
from posetrack.geometry import iou_matrix
from posetrack.skeletons import Skeleton
from posetrack.types import Floats


def pose_metrics(
    people: Sequence[Person], keypoints: Floats, skeleton: Skeleton
) -> dict[str, float]:
    """PCK at 0.1 and 0.2 of the box's longer side, mean OKS and the share of OKS above .5.

    Only annotated keypoints count. PCK pools keypoints, OKS averages people (COCO's formula:
    area and (2 sigma)^2).

    Args:
        keypoints: (N, K, 2) predictions in source px, row-aligned with `people`.
    """
    if not people:
        return {}
    truth = np.stack([p.keypoints for p in people])
    seen = np.stack([p.labelled for p in people]) > 0
    sides = np.stack([(p.box[2:] - p.box[:2]).max() for p in people])
    areas = np.array([p.area for p in people])
    distance = np.linalg.norm(keypoints - truth, axis=-1)  # (N, K)
    relative = distance / sides[:, None]
    variance = (2 * np.array(skeleton.sigmas)) ** 2
    near = np.exp(-(distance**2) / (2 * np.maximum(areas, 1)[:, None] * variance))
    oks = (near * seen).sum(1) / np.maximum(seen.sum(1), 1)
    return {
        "pck@0.1": float((relative[seen] <= 0.1).mean()),
        "pck@0.2": float((relative[seen] <= 0.2).mean()),
        "oks": float(oks.mean()),
        "oks>.5": float((oks > 0.5).mean()),
        "people": float(len(people)),
    }


def by_source(
    people: Sequence[Person], keypoints: Floats, skeleton: Skeleton
) -> dict[str, dict[str, float]]:
    """`pose_metrics` pooled and for each source."""
    table = {"all": pose_metrics(people, keypoints, skeleton)}
    for source in sorted({p.picture.source for p in people}):
        rows = [i for i, p in enumerate(people) if p.picture.source == source]
        table[source] = pose_metrics([people[i] for i in rows], keypoints[rows], skeleton)
    return table


@dataclass(frozen=True, slots=True)
class BoxTruth:
    """One picture's boxes (G, 4), ignore regions (I, 4) and what was found: boxes, scores."""

    truth: Floats
    ignored: Floats
    boxes: Floats
    scores: Floats


def match_boxes(pictures: Sequence[BoxTruth], iou: float = 0.5) -> tuple[Floats, Floats, int]:
    """Match detections to truth by falling score, COCO style.

    A detection that matches nothing but lies mostly inside an ignore region is left out.

    Returns:
        scores (D,), hit (D,) 1 or 0, and the number of true boxes.
    """
    scores, hits, total = [], [], 0
    for picture in pictures:
        total += len(picture.truth)
        free = np.ones(len(picture.truth), bool)
        overlap = iou_matrix(picture.boxes, picture.truth)
        for row in np.argsort(-picture.scores, kind="stable"):
            candidates = np.where(free, overlap[row], -1.0)
            best = int(candidates.argmax()) if len(candidates) else -1
            hit = best >= 0 and candidates[best] >= iou
            if hit:
                free[best] = False
            elif _covered(picture.boxes[row], picture.ignored):
                continue
            scores.append(float(picture.scores[row]))
            hits.append(float(hit))
    return np.array(scores, np.float32), np.array(hits, np.float32), total


def _covered(box: Floats, regions: Floats, share: float = 0.5) -> bool:
    """Whether a region covers at least `share` of the box (COCO's crowd rule)."""
    if not len(regions):
        return False
    low, high = np.maximum(box[:2], regions[:, :2]), np.minimum(box[2:], regions[:, 2:])
    inside = np.maximum(high - low, 0).prod(axis=1)
    area = max(float((box[2:] - box[:2]).prod()), 1e-6)
    return bool((inside / area >= share).any())


def average_precision(scores: Floats, hits: Floats, total: int) -> float:
    """Area under the precision-recall curve at 101 recalls, as COCO computes it."""
    if total == 0 or len(scores) == 0:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(hits[order])
    recall = true / total
    precision = true / np.arange(1, len(true) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    reached = at < len(precision)
    return float(precision[at[reached]].sum() / len(at))


def detection_metrics(pictures: Sequence[BoxTruth], *, false_per_image: float) -> dict[str, float]:
    """AP50, and recall at the lowest score that leaves at most `false_per_image` false boxes."""
    scores, hits, total = match_boxes(pictures)
    order = np.argsort(-scores, kind="stable")
    false = np.cumsum(1 - hits[order])
    allowed = np.flatnonzero(false <= false_per_image * len(pictures))
    last = int(allowed[-1]) if len(allowed) else -1
    found = float(hits[order][: last + 1].sum())
    return {
        "ap50": average_precision(scores, hits, total),
        "recall": found / max(total, 1),
        "threshold": float(scores[order][last]) if last >= 0 else 1.0,
        "false_per_image": float(false[last] / max(len(pictures), 1)) if last >= 0 else 0.0,
        "boxes": float(total),
        "images": float(len(pictures)),
    }
