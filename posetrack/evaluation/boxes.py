"""Detections against true boxes: matching, average precision, recall at a rate of false boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posetrack.geometry import iou_matrix
from posetrack.types import Floats


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


def detection_metrics(
    pictures: Sequence[BoxTruth], *, false_per_image: float, images: int | None = None
) -> dict[str, float]:
    """AP50, and recall at the lowest score that leaves at most `false_per_image` false boxes.

    `images` is their number where `pictures` shows one several times, once a class.
    """
    count = len(pictures) if images is None else images
    scores, hits, total = match_boxes(pictures)
    order = np.argsort(-scores, kind="stable")
    false = np.cumsum(1 - hits[order])
    allowed = np.flatnonzero(false <= false_per_image * count)
    last = int(allowed[-1]) if len(allowed) else -1
    found = float(hits[order][: last + 1].sum())
    return {
        "ap50": average_precision(scores, hits, total),
        "recall": found / max(total, 1),
        "threshold": float(scores[order][last]) if last >= 0 else 1.0,
        "false_per_image": float(false[last] / max(count, 1)) if last >= 0 else 0.0,
        "boxes": float(total),
        "images": float(count),
    }
