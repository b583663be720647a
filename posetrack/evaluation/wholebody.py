"""AP of the parts of a whole body, as COCO-WholeBody tells them apart (Jin et al., ECCV 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from posetrack.datasets.annotations import Annotations
from posetrack.evaluation.coco import Row, average_precision
from posetrack.evaluation.truth import keypoint_ground
from posetrack.skeletons import Skeleton

PARTS = {
    "body": range(17),
    "feet": range(17, 23),
    "face": range(23, 91),
    "left hand": range(91, 112),
    "right hand": range(112, 133),
    "hands": range(91, 133),
    "whole": range(133),
}
"""Rows of the 133 keypoints. `hands` takes both as one set of 42."""

WHOLE_BODY = 133


def part_figures(
    annotations: Annotations, skeleton: Skeleton, rows: Callable[[Sequence[int]], list[Row]]
) -> dict[str, dict[str, float | None]]:
    """AP and AR of each part; empty unless `skeleton` has the 133 keypoints.

    A part's OKS is that of its keypoints with the area of the whole person; people of whom nothing
    of a part is annotated are left out of it.

    Args:
        rows: the answers, of the keypoints asked for.
    """
    if len(skeleton) != WHOLE_BODY:
        return {}
    figures = {}
    for name, columns in PARTS.items():
        ground = keypoint_ground(annotations, skeleton, columns)
        figures[name] = average_precision(ground, rows(columns)).figures
    return figures
