"""COCO's average precision, computed by faster-coco-eval from rows in COCO's own form."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from posetrack.errors import BackendMissing
from posetrack.types import Floats

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ground:
    """Annotated pictures as COCO's evaluation wants them.

    Attributes:
        images: ``id``, ``width``, ``height``.
        rows: annotations with ``id`` from 1, ``image_id``, ``category_id``, ``bbox`` (x, y, w, h),
            ``area``, ``iscrowd``; for keypoints also ``keypoints`` and ``num_keypoints``.
        categories: ids.
        sigmas: of K keypoints; None for boxes.
    """

    images: tuple[Row, ...]
    rows: tuple[Row, ...]
    categories: tuple[int, ...] = (1,)
    sigmas: tuple[float, ...] | None = None

    @property
    def kind(self) -> Literal["keypoints", "bbox"]:
        """COCO's name of what is compared."""
        return "bbox" if self.sigmas is None else "keypoints"


@dataclass(frozen=True, slots=True)
class Precision:
    """What COCO's evaluation says.

    Attributes:
        figures: AP, AP50, AP75, AP by size, AR; None where there is nothing of that size.
        curves: (10, 101) precision at IoU or OKS .50:.05:.95 and recall 0:.01:1, mean of the
            classes.
    """

    figures: dict[str, float | None]
    curves: Floats


def require_evaluator() -> None:
    """Refuse with one line where faster-coco-eval is not installed.

    Raises:
        BackendMissing: it is not.
    """
    if find_spec("faster_coco_eval") is None:
        raise BackendMissing(
            "COCO's AP needs faster-coco-eval, which is not installed: pip install posetrack[eval]"
        )


def average_precision(
    ground: Ground, answers: Sequence[Row], images: Collection[int] | None = None
) -> Precision:
    """AP and AR of `answers` (``image_id``, ``category_id``, ``score``, ``bbox`` or ``keypoints``).

    Keypoints: at most 20 a picture, sizes all, medium, large. Boxes: at most 100, and small.
    `images` restricts the evaluation to pictures of these ids.

    Raises:
        BackendMissing: faster-coco-eval is not installed.
    """
    require_evaluator()
    from faster_coco_eval import COCO, COCOeval_faster

    logging.getLogger("faster_coco_eval").setLevel(logging.WARNING)
    truth = COCO(_document(ground))
    sigmas = list(ground.sigmas) if ground.sigmas is not None else None
    found = truth.loadRes(copy.deepcopy(list(answers)))
    run = COCOeval_faster(truth, found, iouType=ground.kind, kpt_oks_sigmas=sigmas)
    run.params.catIds = list(ground.categories)
    run.params.imgIds = sorted(images if images is not None else (i["id"] for i in ground.images))
    if not run.params.imgIds:
        return Precision({}, np.zeros((10, 101), np.float32))
    run.evaluate()
    run.accumulate()
    return _summary(run.eval["precision"], run.eval["recall"], list(run.params.areaRngLbl))


def _document(ground: Ground) -> Row:
    count = len(ground.sigmas or ())
    names = [f"k{i}" for i in range(count)]
    categories = [
        {"id": key, "name": str(key), "keypoints": names, "skeleton": []}
        for key in ground.categories
    ]
    images = [{"file_name": str(i["id"]), **i} for i in ground.images]
    return {"images": images, "annotations": list(ground.rows), "categories": categories}


def _summary(precision: Any, recall: Any, sizes: list[str]) -> Precision:
    """From precision (T, R, C, A, M) and recall (T, C, A, M) for T thresholds and A sizes."""
    precision, recall = np.asarray(precision), np.asarray(recall)
    figures = {
        "ap": _mean(precision[:, :, :, 0, -1]),
        "ap50": _mean(precision[0, :, :, 0, -1]),
        "ap75": _mean(precision[5, :, :, 0, -1]),
    }
    for index, size in enumerate(sizes[1:], 1):
        figures[f"ap_{size}"] = _mean(precision[:, :, :, index, -1])
    figures["ar"] = _mean(recall[:, :, 0, -1])
    every = precision[:, :, :, 0, -1]
    known = every > -1
    curves = (every * known).sum(2) / np.maximum(known.sum(2), 1)
    return Precision(figures, np.asarray(curves, np.float32))


def _mean(values: Any) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if len(known) else None
