"""Annotated pictures from memory, and models that answer by heart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posetrack.datasets.annotations import Annotations, Picture
from posetrack.datasets.images import ImageStore
from posetrack.skeletons import Skeleton, load_skeleton
from posetrack.types import Detections, Floats, Image, Poses

COCO = load_skeleton("coco")
SIZE = (400, 400)
Row = dict[str, Any]


class Numbered(ImageStore):
    """Black pictures; the first pixel says which one it is."""

    def __init__(self) -> None:
        self.path = Path("memory")

    def read(self, name: str) -> Image:
        image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        image[0, 0, 0] = int(name)
        return image


def annotated(
    pictures: Sequence[Sequence[Row]],
    *,
    fields: Sequence[Row] | None = None,
    skeleton: Skeleton = COCO,
    categories: dict[int, str] | None = None,
) -> Annotations:
    """Pictures 0, 1, ... with these annotation rows and record fields."""
    store = Numbered()
    given = fields or [{"boxes_complete": True}] * len(pictures)
    found = {
        key: Picture(store, str(key), SIZE, str(extra.get("source", "made")), extra)
        for key, extra in enumerate(given)
    }
    rows = {key: [{"category_id": 1} | row for row in some] for key, some in enumerate(pictures)}
    names = skeleton.keypoints
    return Annotations(Path("made.json"), found, rows, names, categories or {1: "person"})


def person(points: npt.ArrayLike, seen: npt.ArrayLike | None = None, **more: Any) -> Row:
    """An annotation row of keypoints (K, 2); `seen` (K,) are annotated, default all."""
    places = np.asarray(points, float)
    known = np.ones(len(places)) if seen is None else np.asarray(seen, float)
    low, high = places.min(0) - 5, places.max(0) + 5
    box = [float(v) for v in (*low, *(high - low))]
    flat = np.column_stack([places * known[:, None], 2 * known]).ravel().tolist()
    return {"bbox": box, "area": 0.6 * box[2] * box[3], "keypoints": flat} | {
        "num_keypoints": int(known.sum()),
        **more,
    }


def standing(rng: np.random.Generator, count: int = 17) -> Floats:
    """Keypoints (count, 2) of somebody somewhere in the picture."""
    corner, size = rng.uniform(10, 200, 2), rng.uniform((40, 80), (90, 180))
    return (corner + rng.random((count, 2)) * size).astype(np.float32)


class Heart:
    """A pose model that gives the pose of the nearest box it knows, moved by `error` px."""

    def __init__(
        self, known: dict[int, list[Floats]], error: Callable[[int], float], skeleton: Skeleton
    ) -> None:
        self.known, self.error, self.skeleton = known, error, skeleton

    def __call__(self, image: Image, boxes: Floats, *, box_scores: Floats | None = None) -> Poses:
        key, n = int(image[0, 0, 0]), len(boxes)
        if not n:
            return Poses.empty(self.skeleton)
        centres = (np.asarray(boxes)[:, :2] + np.asarray(boxes)[:, 2:]) / 2
        poses = []
        for centre in centres:
            middles = [(k.min(0) + k.max(0)) / 2 for k in self.known[key]]
            poses.append(self.known[key][int(np.linalg.norm(middles - centre, axis=1).argmin())])
        points = np.stack(poses) + np.array([self.error(key), 0], np.float32)
        trusted = np.ones(n, np.float32) if box_scores is None else box_scores
        sure = np.full((n, len(self.skeleton)), 0.8, np.float32)
        return Poses(points, sure, boxes, trusted, self.skeleton)


class Seer:
    """A detector that gives these boxes (N, 4), scores and labels for each picture."""

    def __init__(self, answers: dict[int, tuple[Any, Any, Any]]) -> None:
        self.answers = answers

    def __call__(self, image: Image) -> Detections:
        boxes, scores, labels = self.answers.get(int(image[0, 0, 0]), ([], [], []))
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            np.array(labels, np.int64),
        )


def xyxy(row: Row) -> list[float]:
    """The box of an annotation row."""
    x, y, w, h = row["bbox"]
    return [x, y, x + w, y + h]
