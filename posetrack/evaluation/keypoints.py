"""Found keypoints against annotated ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posetrack.datasets.annotations import Person
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
