"""Figures with exact ground truth for the tracker's tests: no image, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from posetrack.skeletons import load_skeleton
from posetrack.tracking import Proposals, Tracker, TrackerSettings
from posetrack.types import Detections, Floats, Ints, Poses, Tracks

COCO = load_skeleton("coco")
SIZE = (1280, 720)

# A standing person of height 1 about the origin, in the order of the COCO keypoints.
STANDING = np.array(
    [
        [0.00, -0.46], [0.02, -0.48], [-0.02, -0.48], [0.05, -0.46], [-0.05, -0.46],
        [0.11, -0.32], [-0.11, -0.32], [0.15, -0.16], [-0.15, -0.16], [0.16, -0.01],
        [-0.16, -0.01], [0.08, 0.02], [-0.08, 0.02], [0.09, 0.24], [-0.09, 0.24],
        [0.09, 0.46], [-0.09, 0.46],
    ],
    np.float32,
)  # fmt: skip


@dataclass(frozen=True)
class Walker:
    """A person at `start` (x, y) px moving at `velocity` px/s, there from `enter` to `leave` s."""

    start: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    height: float = 300.0
    enter: float = 0.0
    leave: float = np.inf
    depth: int = 0

    def keypoints(self, t_s: float) -> Floats:
        """(K, 2) with swinging arms and legs."""
        body = STANDING.copy()
        swing = np.sin(2 * np.pi * 1.5 * t_s)
        body[[9, 15], 0] += 0.06 * swing
        body[[10, 16], 0] -= 0.06 * swing
        place = np.array(self.start) + t_s * np.array(self.velocity)
        return np.asarray(body * self.height + place, np.float32)

    def box(self, t_s: float) -> Floats:
        """(4,) xyxy around the keypoints, grown as a person box is."""
        points = self.keypoints(t_s)
        low, high = points.min(0), points.max(0)
        centre, half = (low + high) / 2, (high - low) / 2 * 1.2
        return np.concatenate([centre - half, centre + half])


def network(
    walkers: Iterable[Walker], boxes: Floats, t_s: float, rng: np.random.Generator
) -> Poses:
    """What a good pose network answers: the person that fills each box best, or a weak ghost."""
    here = [w for w in walkers if w.enter <= t_s <= w.leave]
    n = len(boxes)
    keypoints = np.zeros((n, 17, 2), np.float32)
    scores = np.full((n, 17), 0.1, np.float32)
    for i, box in enumerate(boxes):
        fits = [_iou(box, w.box(t_s)) + 0.01 * w.depth for w in here]
        if fits and max(fits) > 0.25:
            keypoints[i] = here[int(np.argmax(fits))].keypoints(t_s)
            keypoints[i] += rng.normal(0, 0.003 * 300, (17, 2))
            scores[i] = rng.uniform(0.75, 0.95, 17)
        else:
            keypoints[i] = rng.uniform(box[:2], box[2:] + 1, (17, 2))
    return Poses(keypoints, scores, boxes, np.ones(n, np.float32), COCO)


def detector(walkers: Iterable[Walker], t_s: float) -> Detections:
    """The box of everybody there; who is more than 60 % covered by someone nearer is missed."""
    here = [w for w in walkers if w.enter <= t_s <= w.leave]
    boxes = [
        w.box(t_s)
        for w in here
        if not any(o.depth > w.depth and _iou(o.box(t_s), w.box(t_s)) > 0.6 for o in here)
    ]
    return Detections.from_boxes(np.array(boxes, np.float32).reshape(-1, 4))


def _iou(a: Floats, b: Floats) -> float:
    overlap = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return float(overlap / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - overlap))


@dataclass
class Stage:
    """A tracker looking at walkers, frame after frame."""

    walkers: list[Walker]
    tracker: Tracker
    interval: int = 1
    seed: int = 0
    reorder: Callable[[Detections], Detections] = lambda found: found

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.frame = 0
        self.proposals: Proposals | None = None

    def step(self, t_s: float) -> tuple[Tracks, Floats]:
        """One frame at `t_s`."""
        found = detector(self.walkers, t_s) if self.frame % self.interval == 0 else None
        self.frame += 1
        found = None if found is None else self.reorder(found)
        self.proposals = self.tracker.propose(found, t_s=t_s, size=SIZE)
        poses = network(self.walkers, self.proposals.boxes, t_s, self.rng)
        return self.tracker.update(poses, self.proposals, t_s=t_s, size=SIZE)

    def owners(self, times: Iterable[float]) -> list[dict[int, int]]:
        """For each time, which track id each walker (by place in the list) has."""
        answer = []
        for t_s in times:
            tracks, _ = self.step(t_s)
            answer.append({self._nearest(each, t_s): int(each.ids[0]) for each in tracks})
        return answer

    def _nearest(self, track: Tracks, t_s: float) -> int:
        far = [
            np.abs(track.poses.keypoints[0] - w.keypoints(t_s)).mean()
            if w.enter <= t_s <= w.leave
            else np.inf
            for w in self.walkers
        ]
        return int(np.argmin(far))


def tracker_of(settings: TrackerSettings | None = None) -> Tracker:
    """A tracker of COCO poses with keypoint threshold 0.3."""
    return Tracker((settings or TrackerSettings()).resolved(keypoint_threshold=0.3), COCO)


def times(seconds: float, fps: float = 30.0) -> list[float]:
    """Frame times from 0."""
    return [i / fps for i in range(round(seconds * fps))]


def unique_ids(owners: list[dict[int, int]]) -> dict[int, set[int]]:
    """The ids that each walker ever had."""
    ids: dict[int, set[int]] = {}
    for frame in owners:
        for walker, track in frame.items():
            ids.setdefault(walker, set()).add(track)
    return ids


def ids_of(owners: list[dict[int, int]]) -> Ints:
    """Every id of a run, rising."""
    return np.unique([track for frame in owners for track in frame.values()]).astype(np.int64)
