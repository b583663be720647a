"""What detectors put out, the family's own and other makers', read as boxes.

* ``rtmdet``: ``dets`` and ``labels``, or ``boxes`` and ``scores``, by name; what MMDeploy exports.
* ``yolov8``: (1, 4 + C, A), centre, sides, classes. YOLOv8, v9, 11, 12.
* ``yolov5``: (1, A, 5 + C), the same with objectness. YOLOv5, v7, YOLOX with decoding.
* ``yolox``: (1, A, 5 + C) in cells of strides 8 to 32, as YOLOX's authors export it.
* ``rows``: (1, M, 6), x1, y1, x2, y2, score, class. YOLOv10, 26, exports with NMS inside.
* ``detr``: (1, M, 4 + C), centre and sides in 0..1 of the input, classes. RT-DETR.
* ``torchvision``: boxes (M, 4), labels (M,), scores (M,). Faster R-CNN and its like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from posetrack.errors import ModelError
from posetrack.types import Floats, Ints

if TYPE_CHECKING:
    from posetrack.backends.protocol import Array, TensorSpec

Head = Literal["rtmdet", "yolov8", "yolov5", "yolox", "rows", "detr", "torchvision"]
_STRIDES = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes in input px.

    Attributes:
        boxes: (A, 4) xyxy.
        scores: (A, C) of every class, or (A,) where NMS is done.
        labels: (A,) where NMS is done; None where it is not.
    """

    boxes: Floats
    scores: Floats
    labels: Ints | None = None


class HeadReader:
    """Reads the outputs of one graph.

    Args:
        name: of the model, for messages.
        head: how it writes boxes.
        outputs: of the graph.
        size: (width, height) of its input.
        classes: how many it tells apart.

    Raises:
        ModelError: it puts out something else.
    """

    def __init__(
        self,
        name: str,
        head: Head,
        outputs: Sequence[TensorSpec],
        size: tuple[int, int],
        classes: int,
    ) -> None:
        self.head, self.size, self.classes = head, size, classes
        names = [spec.name for spec in outputs]
        self._names = names
        if head == "rtmdet":
            self._names = _own_names(name, names)
        elif head == "torchvision":
            self._names = _torchvision_names(name, outputs)
        else:
            _require_columns(name, head, outputs, classes)
        self.has_nms = head in ("rows", "torchvision") or "dets" in self._names

    def __call__(self, outputs: Mapping[str, Array]) -> Found:
        """What the graph says, of one picture."""
        parts = [outputs[name] for name in self._names]
        if self.head == "rtmdet":
            return self._own(*parts)
        if self.head == "torchvision":
            boxes, labels, scores = parts
            return Found(
                _floats(boxes).reshape(-1, 4),
                _floats(scores).reshape(-1),
                labels.astype(np.int64).reshape(-1),
            )
        rows = _floats(parts[0]).reshape(parts[0].shape[-2:])
        if self.head == "yolov8":
            rows = rows.T
        if self.head == "rows":
            return Found(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
        if self.head == "yolox":
            rows = _from_cells(rows, self.size)
        boxes, scores = rows[:, :4], rows[:, 4:]
        if self.head in ("yolov5", "yolox"):
            scores = rows[:, 5:] * rows[:, 4:5]
        if self.head == "detr":
            boxes = boxes * np.array([*self.size, *self.size], np.float32)
        return Found(_corners(boxes), scores)

    @staticmethod
    def _own(first: Array, second: Array) -> Found:
        if first.shape[-1] == 5:  # rows that only pad have a score of 0 or below
            rows = _floats(first[0]).reshape(-1, 5)
            return Found(rows[:, :4], rows[:, 4], second[0].astype(np.int64).reshape(-1))
        return Found(_floats(first[0]), _floats(second[0]))


def _floats(values: Array) -> Floats:
    return np.asarray(values, np.float32)


def _corners(boxes: Floats) -> Floats:
    """Centre, width, height (A, 4) as corners."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _from_cells(rows: Floats, size: tuple[int, int]) -> Floats:
    """YOLOX's rows with the first four columns in px: offset from a cell, logarithm of sides."""
    corners, steps = [], []
    for stride in _STRIDES:
        width, height = size[0] // stride, size[1] // stride
        y, x = np.mgrid[:height, :width]
        corners.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        steps.append(np.full((width * height, 1), stride))
    corner, step = np.concatenate(corners), np.concatenate(steps).astype(np.float32)
    at, sides = (rows[:, :2] + corner) * step, np.exp(rows[:, 2:4]) * step
    return np.concatenate([at, sides, rows[:, 4:]], axis=1).astype(np.float32)


def _own_names(name: str, names: list[str]) -> list[str]:
    for pair in (["dets", "labels"], ["boxes", "scores"]):
        if set(pair) <= set(names):
            return pair
    raise ModelError(
        f"{name} puts out {', '.join(sorted(names))}: a detector has dets and labels, or boxes and "
        "scores; of another maker the card says how to read it (head: yolov8, yolov5, yolox, rows, "
        "detr or torchvision)"
    )


def _torchvision_names(name: str, outputs: Sequence[TensorSpec]) -> list[str]:
    """Names of boxes, labels and scores: those, or by form: four columns, integers, numbers."""
    names = {spec.name for spec in outputs}
    if {"boxes", "labels", "scores"} <= names:
        return ["boxes", "labels", "scores"]
    boxes = [s.name for s in outputs if len(s.shape) > 1 and s.shape[-1] == 4]
    labels = [s.name for s in outputs if s.dtype.kind == "i"]
    scores = [s.name for s in outputs if s.dtype.kind == "f" and s.name not in boxes]
    if not (len(boxes) == len(labels) == len(scores) == 1):
        raise ModelError(
            f"{name} puts out {', '.join(sorted(names))}: head torchvision has boxes, labels and "
            "scores"
        )
    return boxes + labels + scores


def _require_columns(name: str, head: Head, outputs: Sequence[TensorSpec], classes: int) -> None:
    """Refuse a graph whose one output has not the columns that its head and labels need."""
    wanted = {"rows": 6, "yolov5": 5 + classes, "yolox": 5 + classes}.get(head, 4 + classes)
    shape = outputs[0].shape
    axis = 1 if head == "yolov8" else -1
    found = shape[axis] if len(shape) == 3 else None
    if len(shape) != 3 or found not in (wanted, None):
        raise ModelError(
            f"{name}: head {head} with {classes} labels has {wanted} numbers a box, the graph puts "
            f"out {tuple(shape)}: correct head or labels in the card"
        )
