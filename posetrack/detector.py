"""A picture in, the people in it out: letterbox, one network run, boxes in source pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np

from posetrack.cards import ModelCard
from posetrack.errors import ConfigError, ModelError, NotANumber
from posetrack.geometry import Letterbox, box_area, clip_boxes
from posetrack.heads import HeadReader
from posetrack.normalize import InputBatch, picture_sides
from posetrack.types import Bools, Detections, Floats, Image, Ints

if TYPE_CHECKING:
    from posetrack.backends.protocol import Array, Backend
    from posetrack.zoo import ResolvedModel

MAX_CANDIDATES = 1000
"""The best boxes that enter NMS, as in RTMDet's ``nms_pre``."""
STRIDE = 32
"""The coarsest stride of all detectors that take any size in whole strides."""
_RECT_HEADS = ("rtmdet", "yolov8", "yolov5", "yolox", "rows")
_RECT_BACKENDS = ("onnxruntime", "openvino")
"""On a CPU these take another shape at no cost; the others build, capture or compile for one."""


class Detector:
    """A detection network with what its card says about it. Used by one thread only.

    The graph either ends in NMS or gives every box, as `posetrack.heads` says; NMS is then done
    here, class by class. The thresholds of the card hold unless others are given.

    Args:
        model: a card, or what `posetrack.zoo.find` returned.
        backend: the loaded graph.
        threshold: detections must score above this.
        nms: IoU above which the weaker of two boxes goes; None for a graph with NMS inside leaves
            it as it is.
        labels: names or indices of the classes to return; default the card's.
        min_size: boxes must have at least this area's side, ``sqrt(w * h)``, in source px.
        input_size: (width, height), for a graph that takes any.
        rect: feed no more whole strides than the picture fills, where the graph takes any size;
            never more than `input_size`. A wide picture saves two fifths of the network.
    """

    def __init__(
        self,
        model: ResolvedModel | ModelCard,
        backend: Backend,
        *,
        threshold: float | None = None,
        nms: float | None = None,
        labels: Sequence[str | int] | None = None,
        min_size: float = 0,
        input_size: tuple[int, int] | None = None,
        rect: bool = True,
    ) -> None:
        card = model if isinstance(model, ModelCard) else model.card
        if card.task != "detection":
            raise ModelError(f"{card.name} is a {card.task} model: give a detector")
        self.card, self.backend = card, backend
        self.threshold = card.thresholds.detection if threshold is None else threshold
        # Whoever names a threshold wants the people above it.
        self.birth_threshold = card.thresholds.birth if threshold is None else threshold
        self.nms = nms
        self.min_size = min_size
        self.labels = card.kept_labels if labels is None else _label_indices(labels, card)
        self.input_size = _input_size(card, backend, input_size)
        self.rect = rect and _takes_any_shape(card, backend)
        self._single = len(backend.inputs[0].shape) == 3  # a graph that knows no batch
        self._shape(self.input_size)

    @classmethod
    def load(
        cls,
        name_or_path: str | Path | None = None,
        *,
        backend: str = "onnxruntime",
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "auto",
        options: Mapping[str, Any] | None = None,
        allow_unverified: bool = False,
        **settings: Any,
    ) -> Self:
        """A detector found by `posetrack.zoo.find`, opened and run once to be warm.

        None is the embedded detector; `settings` go to the constructor.
        """
        from posetrack.opening import open_model

        model, opened = open_model(
            name_or_path,
            "detection",
            backend=backend,
            device=device,
            threads=threads,
            precision=precision,
            options=options,
            allow_unverified=allow_unverified,
        )
        detector = cls(model, opened, **settings)
        detector.warm_up()
        return detector

    def __call__(self, image: Image) -> Detections:
        """What is in the picture, strongest first, boxes in source px and inside the image."""
        size = (image.shape[1], image.shape[0])
        letterbox = Letterbox(size, self.input_size)
        if self.rect:
            letterbox = letterbox.cropped(STRIDE)
        if letterbox.input_size != self._head.size:
            self._shape(letterbox.input_size)
        found = self._head(self._look(image, letterbox))
        # NaN is above no threshold: a broken network must not look like an empty room.
        if np.isnan(found.scores).any() or not np.isfinite(found.boxes).all():
            raise NotANumber(self.card.name)
        if found.labels is not None:
            boxes, scores, labels = self._chosen(found.boxes, found.scores, found.labels)
        else:
            boxes, scores, labels = self._suppress(found.boxes, found.scores)
        boxes = clip_boxes(letterbox.inverse(boxes), size)
        keep = box_area(boxes) > 0
        if self.min_size > 0:
            keep &= box_area(boxes) >= self.min_size**2
        return Detections(boxes[keep], scores[keep], labels[keep])

    def warm_up(self) -> None:
        """Run once on an empty picture; what fails here would fail on the first frame."""
        width, height = self.input_size
        self(np.zeros((height, width, 3), np.uint8))

    def close(self) -> None:
        """Free the network."""
        self.backend.close()

    def _shape(self, size: tuple[int, int]) -> None:
        """Feed the graph (width, height) from now on."""
        card = self.card
        self._head = HeadReader(card.name, card.head, self.backend.outputs, size, len(card.labels))
        self._input = InputBatch(card.input, size, 1)

    def _look(self, image: Image, letterbox: Letterbox) -> Mapping[str, Array]:
        """What the graph puts out for a picture, by name."""
        letterbox.resize(image, pad=self.card.input.pad, out=self._input.canvas(0))
        self._input.fill(0)
        spec = self.backend.inputs[0]
        picture = self._input.first(1).astype(spec.dtype, copy=False)
        return self.backend.run({spec.name: picture[0] if self._single else picture})

    def _chosen(self, boxes: Floats, scores: Floats, labels: Ints) -> tuple[Floats, Floats, Ints]:
        """Of boxes after NMS those that count, strongest first."""
        keep = self._above(scores) & np.isin(labels, self.labels)
        boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
        if self.nms is None:
            order = np.argsort(-scores, kind="stable")
        else:
            order = _class_nms(boxes, scores, labels, self.nms)
        return boxes[order], scores[order], labels[order]

    def _suppress(self, boxes: Floats, scores: Floats) -> tuple[Floats, Floats, Ints]:
        """Of all boxes (A, 4) with scores (A, C) those that count and survive NMS."""
        scores = scores[:, self.labels]  # (A, kept)
        rows, columns = np.nonzero(self._above(scores))
        values = scores[rows, columns]
        if len(values) > MAX_CANDIDATES:
            best = np.argsort(-values, kind="stable")[:MAX_CANDIDATES]
            rows, columns, values = rows[best], columns[best], values[best]
        labels = np.array(self.labels, np.int64)[columns]
        limit = self.card.thresholds.nms if self.nms is None else self.nms
        order = _class_nms(boxes[rows], values, labels, limit)
        return boxes[rows][order], values[order], labels[order]

    def _above(self, scores: Floats) -> Bools:
        return scores > max(self.threshold, 0)


def _class_nms(boxes: Floats, scores: Floats, labels: Ints, limit: float) -> Ints:
    """Rows that stay, strongest first; boxes of different classes do not meet."""
    if not len(boxes):
        return np.empty(0, np.int64)
    corners = boxes.astype(np.float64)
    apart = corners.max() - corners.min() + 1  # each class in its own region of the plane
    corners += (labels * apart)[:, None]
    corners[:, 2:] -= corners[:, :2]
    order = np.argsort(-scores, kind="stable")  # OpenCV's own order of equals is not defined
    kept = cv2.dnn.NMSBoxes(corners[order], scores[order], 0.0, limit)  # type: ignore[arg-type]
    return np.asarray(order[np.sort(np.asarray(kept, np.int64).reshape(-1))], np.int64)


def _label_indices(labels: Sequence[str | int], card: ModelCard) -> tuple[int, ...]:
    indices = []
    for label in labels:
        index = card.labels.index(label) if label in card.labels else label
        if not isinstance(index, int) or not 0 <= index < len(card.labels):
            known = ", ".join(card.labels[:20])
            raise ConfigError(f"{card.name} has no class {label!r}: it knows {known}")
        indices.append(index)
    return tuple(indices)


def _takes_any_shape(card: ModelCard, backend: Backend) -> bool:
    """Whether another shape of input is allowed and costs nothing to begin with."""
    return (
        card.head in _RECT_HEADS
        and (backend.kind in _RECT_BACKENDS and backend.device == "cpu")
        and picture_sides(card, backend.inputs[0]) == (None, None)
    )


def _input_size(
    card: ModelCard, backend: Backend, asked: tuple[int, int] | None
) -> tuple[int, int]:
    """(width, height) that the graph accepts: as asked, else the card's."""
    size = asked or card.input.size
    fixed = picture_sides(card, backend.inputs[0])
    if any(f is not None and f != s for f, s in zip(fixed, size, strict=True)):
        raise ModelError(
            f"{card.name}: input size {size[0]}x{size[1]} asked, the graph takes only "
            f"{fixed[0]}x{fixed[1]}: use that size in the card"
        )
    return size
