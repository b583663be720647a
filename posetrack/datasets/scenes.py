"""Pictures with their boxes, and the regions of which nothing is known."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from posetrack.datasets.annotations import Annotations, Picture
from posetrack.geometry import iou_matrix, xywh_to_xyxy
from posetrack.types import Floats


@dataclass(frozen=True, slots=True)
class LabelRules:
    """What machine-made boxes (``pseudo_dets``, ``pseudo``) mean on incompletely boxed pictures.

    At or above `label_score` they are labels, from `ignore_score` on they are regions in which
    nothing is learned, below they are nothing.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": False}

    label_score: float = 0.4
    ignore_score: float = 0.15


STRICT = LabelRules(label_score=1.0, ignore_score=0.2)
"""For evaluation: only true boxes count; where not everybody is boxed, whatever another detector
saw may be a person."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture and what is in it.

    Attributes:
        picture: the pixels.
        boxes: (G, 4).
        labels: (G,) class numbers.
        ignored: (I, 4) regions of which nothing is known.
        complete: whether everything is boxed.
    """

    picture: Picture
    boxes: Floats
    labels: npt.NDArray[np.int64]
    ignored: Floats
    complete: bool


def scenes(
    annotations: Annotations, rules: LabelRules, categories: Collection[int] | None = None
) -> list[Scene]:
    """The pictures of a source as detector scenes, in file order.

    Only boxes of `categories` count, and their place there is their class number; None takes all
    boxes as one class. Machine-made boxes are of the first class.
    """
    found = []
    number = {category: i for i, category in enumerate(categories or ())}
    for key, picture in annotations.pictures.items():
        labels, ignored = sorted_rows(annotations.rows[key], rules, categories)
        boxes, regions = (xywh_to_xyxy([r["bbox"] for r in part]) for part in (labels, ignored))
        classes = [number.get(int(row.get("category_id", -1)), 0) for row in labels]
        complete = bool(picture.fields.get("boxes_complete"))
        if not complete:
            machine = picture.fields.get("pseudo_dets")
            boxes, regions = _add_machine_boxes(boxes, regions, machine, rules)
        numbers = np.zeros(len(boxes), np.int64)
        numbers[: len(classes)] = classes
        found.append(Scene(picture, boxes, numbers, regions, complete))
    return found


def sorted_rows(
    rows: Iterable[dict[str, Any]], rules: LabelRules, categories: Container[int] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The annotation rows of a picture that are labels, and those that are ignore regions."""
    labels, ignored = [], []
    for row in rows:
        if categories is not None and row.get("category_id") not in categories:
            continue
        score = float(row.get("score", 1.0)) if row.get("pseudo") else 1.0
        if row.get("iscrowd") or rules.ignore_score <= score < rules.label_score:
            ignored.append(row)
        elif score >= rules.label_score:
            labels.append(row)
    return labels, ignored


def _add_machine_boxes(
    boxes: Floats, regions: Floats, machine: Any, rules: LabelRules
) -> tuple[Floats, Floats]:
    rows = np.asarray(machine or np.empty((0, 5)), np.float32).reshape(-1, 5)
    rows = rows[rows[:, 4] >= rules.ignore_score]
    extra = xywh_to_xyxy(rows[:, :4])
    if len(boxes) and len(extra):
        new = iou_matrix(extra, boxes).max(axis=1) < 0.5
        rows, extra = rows[new], extra[new]
    sure = rows[:, 4] >= rules.label_score
    return np.concatenate([boxes, extra[sure]]), np.concatenate([regions, extra[~sure]])
