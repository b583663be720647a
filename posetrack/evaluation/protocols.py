"""What some sets measure beside COCO's AP: AP by crowding (CrowdPose) and over species (AP-10K)."""

from __future__ import annotations

from collections.abc import Sequence

from posetrack.datasets.annotations import Annotations, Person
from posetrack.evaluation.coco import Ground, Row, average_precision
from posetrack.evaluation.truth import keypoint_answers, keypoint_ground
from posetrack.skeletons import Skeleton
from posetrack.types import Floats

CROWDING = {"easy": (0.0, 0.2), "medium": (0.2, 0.8), "hard": (0.8, float("inf"))}
"""From and below which ``crowdIndex`` of a picture, as crowdposetools cuts (its paper says .1)."""


def crowding_figures(
    annotations: Annotations, ground: Ground, answers: Sequence[Row]
) -> dict[str, float | None]:
    """``ap_crowd_easy``, ``..._medium`` and ``..._hard``; {} where pictures have no ``crowdIndex``.

    Source: Li et al., CVPR 2019, and their crowdposetools.
    """
    index = {
        key: float(picture.fields["crowdIndex"])
        for key, picture in annotations.pictures.items()
        if "crowdIndex" in picture.fields
    }
    if not index:
        return {}
    figures = {}
    for name, (low, high) in CROWDING.items():
        pictures = [key for key, value in index.items() if low <= value < high]
        precision = average_precision(ground, answers, pictures)
        figures[f"ap_crowd_{name}"] = precision.figures.get("ap")
    return figures


def category_precision(
    annotations: Annotations,
    skeleton: Skeleton,
    people: Sequence[Person],
    keys: Sequence[int],
    keypoints: Floats,
    scores: Floats,
) -> float | None:
    """The mean of the AP of each category, as AP-10K has it; None of a single one.

    Args:
        people: N annotated ones, in whose boxes was looked.
        keys: ids of their pictures.
        keypoints: (N, K, 2) found.
        scores: (N,).
    """
    if len({person.row.get("category_id") for person in people}) < 2:
        return None
    rows: list[Row] = []
    for i, person in enumerate(people):
        (row,) = keypoint_answers(int(keys[i]), keypoints[i : i + 1], scores[i : i + 1])
        rows.append(row | {"category_id": person.row["category_id"]})
    ground = keypoint_ground(annotations, skeleton, by_category=True)
    return average_precision(ground, rows).figures["ap"]
