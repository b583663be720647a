"""Annotations as COCO's evaluation wants them: people's keypoints, and boxes of several classes.

Where not everybody of a picture is annotated (``boxes_complete`` is not set), what another
detector saw there (``pseudo_dets``) is marked as a crowd: whoever is found in it is neither right
nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from posetrack.datasets.annotations import Annotations, person_area
from posetrack.datasets.scenes import STRICT, Scene, scenes, sorted_rows
from posetrack.evaluation.coco import Ground, Row
from posetrack.geometry import box_area, xyxy_to_xywh
from posetrack.skeletons import Skeleton
from posetrack.types import Floats

PERSON = 1
"""The category id of people here, whatever the file's is."""


def image_rows(annotations: Annotations) -> tuple[Row, ...]:
    """The pictures, numbered as their ids are in the file."""
    return tuple(
        {"id": key, "width": picture.size[0], "height": picture.size[1]}
        for key, picture in annotations.pictures.items()
    )


def keypoint_ground(
    annotations: Annotations,
    skeleton: Skeleton,
    columns: Sequence[int] | None = None,
    *,
    by_category: bool = False,
) -> Ground:
    """Everybody in the pictures, with the keypoints of `skeleton` that are annotated.

    People without keypoints, crowds and people whose keypoints a machine made are ignore regions.

    Args:
        columns: evaluate only these keypoints of the skeleton.
        by_category: keep the file's categories apart; else everybody is of one.
    """
    chosen = list(range(len(skeleton))) if columns is None else list(columns)
    rows = []
    places = annotations.columns(skeleton)
    for key, scene in zip(annotations.pictures, scenes(annotations, STRICT), strict=True):
        for row in annotations.rows[key]:
            points = _keypoints(row, places, len(skeleton))[chosen]
            category = {"category_id": row["category_id"]} if by_category else {}
            rows.append(_person_row(key, row, points) | category)
        if not scene.complete:
            empty = np.zeros((len(chosen), 3), np.float32)
            rows += [_crowd(key, box, empty) for box in xyxy_to_xywh(scene.ignored)]
    sigmas = tuple(skeleton.sigmas[i] for i in chosen)
    categories = sorted({row["category_id"] for row in rows}) if by_category else [PERSON]
    return Ground(image_rows(annotations), _numbered(rows), tuple(categories), sigmas)


def keypoint_answers(
    key: int, keypoints: Floats, scores: Floats, columns: Sequence[int] | None = None
) -> list[Row]:
    """COCO result rows of one picture: poses (N, K, 2) and one score each (N,)."""
    chosen = slice(None) if columns is None else list(columns)
    points = np.concatenate([keypoints, np.ones_like(keypoints[..., :1])], axis=-1)[:, chosen]
    return [
        {"image_id": key, "category_id": PERSON, "score": float(score)}
        | {"keypoints": pose.ravel().tolist()}
        for pose, score in zip(points.astype(float), scores, strict=True)
    ]


def box_ground(annotations: Annotations, categories: Sequence[int]) -> Ground:
    """The true boxes of these classes, and for each class its ignore regions."""
    rows: list[Row] = []
    for category in categories:
        pairs = zip(annotations.pictures, scenes(annotations, STRICT, {category}), strict=True)
        for key, scene in pairs:
            labels, _ = sorted_rows(annotations.rows[key], STRICT, {category})
            rows += _box_rows(key, category, scene, labels)
    return Ground(image_rows(annotations), _numbered(rows), tuple(categories))


def box_answers(key: int, category: int, boxes: Floats, scores: Floats) -> list[Row]:
    """COCO result rows of one picture and class: boxes (N, 4) xyxy, scores (N,)."""
    return [
        {"image_id": key, "category_id": category, "score": float(score), "bbox": box.tolist()}
        for box, score in zip(xyxy_to_xywh(boxes).astype(float), scores, strict=True)
    ]


def _box_rows(key: int, category: int, scene: Scene, labels: Sequence[Row]) -> Iterator[Row]:
    areas = [float(row.get("area") or np.prod(row["bbox"][2:])) for row in labels]
    areas += box_area(scene.boxes[len(labels) :]).tolist()
    common: Row = {"image_id": key, "category_id": category}
    for box, area in zip(xyxy_to_xywh(scene.boxes).astype(float), areas, strict=True):
        yield common | {"bbox": box.tolist(), "area": area, "iscrowd": 0}
    regions = xyxy_to_xywh(scene.ignored).astype(float)
    for box, area in zip(regions, box_area(scene.ignored), strict=True):
        yield common | {"bbox": box.tolist(), "area": float(area), "iscrowd": 1}


def _keypoints(row: Row, places: Sequence[tuple[int, int]], count: int) -> Floats:
    """(K, 3) x, y, v in the order of the skeleton; v is 0 where there is no truth."""
    points = np.zeros((count, 3), np.float32)
    given = row.get("keypoints") or ()
    if not given or row.get("pseudo_kp"):
        return points
    values = np.asarray(given, np.float32).reshape(-1, 3)
    for theirs, ours in places:
        if values[theirs, 2] > 0:
            points[ours] = values[theirs]
    return points


def _person_row(key: int, row: Row, points: Floats) -> Row:
    box = [float(v) for v in row["bbox"]]
    area = person_area(row)
    crowd = int(bool(row.get("iscrowd")))
    return _row(key, box, area, points, crowd=crowd)


def _crowd(key: int, box: Floats, points: Floats) -> Row:
    return _row(key, box.astype(float).tolist(), float(box[2] * box[3]), points, crowd=1)


def _row(key: int, box: list[float], area: float, points: Floats, *, crowd: int) -> Row:
    seen = int((points[:, 2] > 0).sum())
    flat: list[Any] = points.astype(float).ravel().tolist()
    place: Row = {"image_id": key, "category_id": PERSON, "bbox": box, "area": area}
    return place | {"iscrowd": crowd, "keypoints": flat, "num_keypoints": seen}


def _numbered(rows: Sequence[Row]) -> tuple[Row, ...]:
    """With ids from 1: the evaluator takes 0 for "no match"."""
    return tuple({"id": number, **row} for number, row in enumerate(rows, 1))
