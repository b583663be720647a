"""Whether a converted model still answers as the one it was made from, or is to be refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np

from posetrack import demo
from posetrack.cards import Task
from posetrack.detector import Detector
from posetrack.embedder import Embedder
from posetrack.errors import ModelError
from posetrack.estimator import Estimator
from posetrack.geometry import box_area, iou_matrix
from posetrack.types import Detections, Floats, Image

SECONDS = 8
"""One picture a second of the demo's clip."""
SHARE = 0.25
"""The least share of the keypoints, the surest ones, that is compared."""


Part: TypeAlias = Estimator | Detector | Embedder

PARTS: dict[Task, type[Estimator] | type[Detector] | type[Embedder]] = {
    "pose": Estimator,
    "detection": Detector,
    "reid": Embedder,
}
"""What runs a model of each task."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a conversion may change at most.

    Attributes:
        px: any sure keypoint of a person some 250 px tall, or any side of a box.
        oks: the least mean over people, of their sure keypoints.
        iou: the least mean over detections; one that has no partner counts 0.
        cosine: the least mean over embeddings.
    """

    px: float
    oks: float
    iou: float
    cosine: float


TOLERANCES = {
    "fp32": Tolerance(px=1.0, oks=0.999, iou=0.999, cosine=0.999),
    "fp16": Tolerance(px=4.0, oks=0.995, iou=0.99, cosine=0.995),
    "bf16": Tolerance(px=32.0, oks=0.99, iou=0.97, cosine=0.99),
    "int8": Tolerance(px=float("inf"), oks=0.95, iou=0.85, cosine=0.95),
}
"""By precision. A coarse one may take another of two peaks of the same height, far away, so its
pixels say little; a network with one convolution inverted is beyond every line of these."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two models are apart.

    Attributes:
        px: the largest distance of a sure keypoint, or of a side of a box that both found.
        mean: OKS of poses, IoU of boxes, or cosine of embeddings.
        measure: ``OKS``, ``IoU`` or ``cosine``.
        count: people or boxes compared.
    """

    px: float
    mean: float
    measure: str
    count: int

    def within(self, tolerance: Tolerance) -> bool:
        """Whether that is tolerable; NaN is not."""
        return self.px <= tolerance.px and self.mean >= self.least(tolerance)

    def least(self, tolerance: Tolerance) -> float:
        """The mean that is needed."""
        return float(getattr(tolerance, self.measure.lower()))

    def __str__(self) -> str:
        return f"{self.px:.2f} px, mean {self.measure} {self.mean:.4f} over {self.count}"


def require_parity(name: str, reference: Part, converted: Part, precision: str) -> Parity:
    """The distance of `converted` from `reference`, the fp32 ONNX.

    Raises:
        ModelError: it is more than `TOLERANCES` of that precision; with the numbers.
    """
    found = compare(reference, converted)
    allowed = TOLERANCES[precision]
    if not found.within(allowed):
        raise ModelError(
            f"{name} refused: it is {found} away from the fp32 graph, {precision} may be "
            f"{allowed.px:g} px and mean {found.measure} {found.least(allowed):g} at least: "
            "keep a higher precision, or calibrate on pictures like those it is for"
        )
    return found


def compare(reference: Part, converted: Part) -> Parity:
    """Both on the same pictures: drawn people and a photograph, always the same."""
    if isinstance(reference, Estimator) and isinstance(converted, Estimator):
        return _poses(reference, converted)
    if isinstance(reference, Detector) and isinstance(converted, Detector):
        return _boxes(reference, converted)
    if isinstance(reference, Embedder) and isinstance(converted, Embedder):
        return _embeddings(reference, converted)
    raise TypeError("models of two tasks cannot be compared")


@cache
def _scenes() -> tuple[tuple[Image, Floats], ...]:
    """Pictures of the demo's clip and the boxes (N, 4) of who is in them."""
    portrait = np.array([demo.PORTRAIT], np.float32)
    pictures = demo.frames(SECONDS, fps=1)
    return tuple((image, np.concatenate([truth.boxes, portrait])) for image, truth in pictures)


def _poses(reference: Estimator, converted: Estimator) -> Parity:
    pairs = [(reference(image, boxes), converted(image, boxes)) for image, boxes in _scenes()]
    expected, found, scores = (
        np.concatenate(rows)
        for rows in zip(*((a.keypoints, b.keypoints, a.scores) for a, b in pairs), strict=True)
    )
    least = min(reference.keypoint_threshold, float(np.quantile(scores, 1 - SHARE)))
    sure = scores >= least  # (N, K)
    area = np.concatenate([box_area(a.boxes) for a, _ in pairs])
    far = np.linalg.norm(found - expected, axis=-1)
    variance = (2 * np.asarray(reference.skeleton.sigmas, np.float32)) ** 2
    near = np.exp(
        -(far**2) / (2 * area[:, None] * variance)
    )  # as `geometry.oks_matrix`, row by row
    oks = (near * sure).sum(axis=1) / np.maximum(sure.sum(axis=1), 1)
    people = sure.any(axis=1)
    return Parity(float(far[sure].max()), float(oks[people].mean()), "OKS", int(people.sum()))


def _embeddings(reference: Embedder, converted: Embedder) -> Parity:
    cosines = np.concatenate(
        [
            (reference(image, boxes) * converted(image, boxes)).sum(axis=1)
            for image, boxes in _scenes()
        ]
    )
    return Parity(0.0, float(cosines.mean()), "cosine", len(cosines))


def _boxes(reference: Detector, converted: Detector) -> Parity:
    sides: list[float] = []
    overlaps: list[float] = []
    reference.rect = converted.rect = False  # which one may be able to and the other not
    for image, _ in _scenes():
        far, shared = _matched(reference(image), converted(image))
        sides += far
        overlaps += shared
    mean = float(np.mean(overlaps)) if overlaps else 1.0
    return Parity(max(sides, default=0.0), mean, "IoU", len(overlaps))


def _matched(a: Detections, b: Detections) -> tuple[list[float], list[float]]:
    """Distances of sides of the boxes that both have, and the IoU of each with its best partner."""
    iou = iou_matrix(a.boxes, b.boxes)
    if not iou.size:
        return [], [0.0] * (len(a) + len(b))
    best = iou.argmax(axis=1)
    met = iou.max(axis=1) > 0.5
    far = np.abs(a.boxes[met] - b.boxes[best[met]]).max(axis=1) if met.any() else np.empty(0)
    return far.tolist(), [*iou.max(axis=1).tolist(), *iou.max(axis=0).tolist()]
