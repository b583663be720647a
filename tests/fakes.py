"""A scripted world and stand-ins for the slow parts that really look at its pictures.

A person is a filled rectangle of one colour, so a detector can be a few lines of numpy and still
see what is in the picture and nothing else: results do not depend on which thread asks when.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from posetrack.skeletons import Skeleton, load_skeleton
from posetrack.types import Detections, Floats, Frame, Image, Poses, Result

COCO = load_skeleton("coco")
FPS = 25.0
MARK = 255  # the green value of every person's rectangle; the background has less

# Where the 17 COCO keypoints lie in a person's rectangle, in [0, 1].
_HEAD_X, _HEAD_Y = (0.5, 0.45, 0.55, 0.4, 0.6), (0.08, 0.05, 0.05, 0.07, 0.07)
_BODY_X = (0.3, 0.7, 0.2, 0.8, 0.15, 0.85, 0.38, 0.62, 0.37, 0.63, 0.36, 0.64)
_BODY_Y = (0.25, 0.25, 0.4, 0.4, 0.55, 0.55, 0.55, 0.55, 0.75, 0.75, 0.95, 0.95)
LAYOUT = np.array([_HEAD_X + _BODY_X, _HEAD_Y + _BODY_Y], np.float32).T

Scene = Sequence["Person"]


@dataclass(frozen=True)
class Person:
    """Starts as `box` (xyxy) and moves by `velocity` px a frame from frame `first` to `last`."""

    colour: int
    box: tuple[float, float, float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    first: int = 0
    last: int = 1_000_000

    def box_at(self, index: int) -> Floats:
        dx, dy = self.velocity
        return np.array(self.box, np.float32) + np.array([dx, dy, dx, dy], np.float32) * index

    def keypoints_at(self, index: int) -> Floats:
        return _layout(np.rint(self.box_at(index)))

    def present(self, index: int) -> bool:
        return self.first <= index <= self.last


TWO_PEOPLE = (
    Person(60, (20, 30, 60, 130), (2.0, 0.0)),
    Person(120, (220, 40, 260, 140), (-1.0, 0.5)),
)


def _layout(box: Floats) -> Floats:
    return np.asarray(box[:2] + LAYOUT * (box[2:] - box[:2]), np.float32)


def draw_people(people: Scene, index: int, size: tuple[int, int] = (320, 240)) -> Image:
    """(h, w, 3): later people cover earlier ones."""
    width, height = size
    image = np.full((height, width, 3), 30, np.uint8)
    for person in people:
        if person.present(index):
            x1, y1, x2, y2 = np.rint(person.box_at(index)).astype(int)
            image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = (person.colour, MARK, 0)
    return image


def visible_boxes(image: Image) -> dict[int, Floats]:
    """Box (xyxy) of what can be seen of each person, by colour."""
    boxes = {}
    marked = image[..., 1] == MARK
    for colour in np.unique(image[..., 0][marked]):
        rows, columns = np.nonzero(marked & (image[..., 0] == colour))
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        boxes[int(colour)] = np.array(edges, np.float32)
    return boxes


class FakeDetector:
    """Finds every coloured rectangle; score 0.9."""

    threshold = 0.5

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.calls = 0
        self.before = before

    def __call__(self, image: Image) -> Detections:
        self.before()
        self.calls += 1
        boxes = list(visible_boxes(image).values())
        if not boxes:
            return Detections.empty()
        n = len(boxes)
        return Detections(np.stack(boxes), np.full(n, 0.9, np.float32), np.zeros(n, np.int64))


class FakeEstimator:
    """Poses of the person whose colour fills most of each box; scores 0.02 where there is none."""

    keypoint_threshold = 0.3

    def __init__(
        self, skeleton: Skeleton = COCO, before: Callable[[], None] = lambda: None
    ) -> None:
        self.skeleton = skeleton
        self.batches: list[int] = []
        self.before = before

    def __call__(self, image: Image, boxes: Floats, *, box_scores: Floats | None = None) -> Poses:
        self.before()
        self.batches.append(len(boxes))
        if not len(boxes):
            return Poses.empty(self.skeleton)
        people = visible_boxes(image)
        rows = [self._read(image, people, box) for box in boxes]
        keypoints, scores = (np.stack(column) for column in zip(*rows, strict=True))
        if box_scores is None:
            box_scores = np.ones(len(boxes), np.float32)
        return Poses(keypoints, scores, boxes, box_scores, self.skeleton)

    def _read(self, image: Image, people: dict[int, Floats], box: Floats) -> tuple[Floats, Floats]:
        x1, y1, x2, y2 = np.maximum(np.rint(box).astype(int), 0)
        crop = image[y1:y2, x1:x2].reshape(-1, 3)
        colours = crop[crop[:, 1] == MARK][:, 0]
        k = len(self.skeleton)
        if not len(colours):
            return _layout(box)[:k], np.full(k, 0.02, np.float32)
        colour = int(np.bincount(colours).argmax())
        return _layout(people[colour])[:k], np.full(k, 0.8, np.float32)


@dataclass
class FakeSource:
    """Frames of a scene, read slowly if `period_s` says so; opens when it is made."""

    people: Scene = TWO_PEOPLE
    frames: int = 20
    size: tuple[int, int] = (320, 240)
    fps: float = FPS
    period_s: float = 0.0
    before: Callable[[], None] = lambda: None
    name: str = "scene"
    is_live: bool = False
    dropped: int = 0
    warning: str | None = None
    log: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.frames):
            self.before()
            time.sleep(self.period_s)
            image = draw_people(self.people, index, self.size)
            yield Frame(image, index, index / self.fps, time.perf_counter(), self.name)

    def close(self) -> None:
        self.log.append("close")


@dataclass
class FakeSink:
    """Keeps what it is given, and says how it ended."""

    name: str = "list"
    results: list[Result] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def open(self) -> None:
        self.log.append("open")

    def write(self, result: Result, image: Image, /) -> None:
        self.before()
        self.results.append(result)
        self.images.append(image)

    def finish(self) -> None:
        self.log.append("finish")

    def abort(self) -> None:
        if "finish" not in self.log:
            self.log.append("abort")
