"""The camera's own motion is measured, and people are taken along with it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from posetrack.geometry import transform_points
from posetrack.skeletons import load_skeleton
from posetrack.tracking import Tracker, TrackerSettings
from posetrack.tracking.camera import CameraMotion, zoom
from posetrack.types import Detections, Poses

COCO = load_skeleton("coco")
SIZE = (640, 480)
NOBODY = np.zeros((0, 4), np.float32)


def wall(seed: int = 0) -> np.ndarray:
    """A picture with corners everywhere."""
    rng = np.random.default_rng(seed)
    image = np.full((480, 640, 3), 90, np.uint8)
    for _ in range(160):
        x, y = rng.integers(0, 620), rng.integers(0, 460)
        w, h = rng.integers(8, 50, 2)
        cv2.rectangle(image, (x, y), (x + w, y + h), rng.integers(0, 255, 3).tolist(), -1)
    return image


def motion(degrees: float, growth: float, shift: tuple[float, float]) -> np.ndarray:
    a = math.radians(degrees)
    turn = growth * np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    return np.concatenate([turn, np.array(shift)[:, None]], axis=1)


@pytest.mark.parametrize(
    "matrix", [motion(0, 1, (12, -5)), motion(2, 1, (8, 4)), motion(-1, 1.04, (-20, 3))]
)
def test_pan_turn_and_zoom_are_found(matrix: np.ndarray) -> None:
    before = wall()
    after = cv2.warpAffine(before, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
    camera = CameraMotion()
    assert np.array_equal(camera(before, NOBODY), np.eye(2, 3))
    found = camera(after, NOBODY)
    corners = np.array([[0, 0], [640, 0], [320, 240], [0, 480], [640, 480]], np.float32)
    apart = transform_points(corners, found) - transform_points(corners, matrix)
    assert np.abs(apart).max() < 1.5
    assert zoom(found) == pytest.approx(zoom(matrix), abs=0.005)


def test_a_person_who_fills_the_picture_is_not_the_camera() -> None:
    before, person = wall(), wall(7)[100:400, 150:500]
    after = before.copy()
    before[100:400, 150:500] = person
    after[100:400, 190:540] = person
    camera = CameraMotion()
    camera(before, NOBODY)
    found = camera(after, np.array([[145, 95, 505, 405]], np.float32))
    assert np.abs(found - np.eye(2, 3)).max() < 0.5


@pytest.mark.parametrize("after", [np.full((480, 640, 3), 90, np.uint8), wall(3), wall()[:240]])
def test_where_nothing_can_be_told_nothing_moved(after: np.ndarray) -> None:
    camera = CameraMotion()
    camera(wall(), NOBODY)
    assert np.array_equal(camera(after, NOBODY), np.eye(2, 3))


def stay(image: np.ndarray, tracker: Tracker, body: np.ndarray, t_s: float, first: bool) -> Poses:
    """One step of a tracker that sees `body` wherever it is looked for near it."""
    tracker.follow_camera(image)
    box = np.concatenate([body.min(axis=0), body.max(axis=0)])[None].astype(np.float32)
    found = Detections.from_boxes(box) if first else None
    asked = tracker.propose(found, t_s=t_s, size=SIZE)
    near = np.abs(asked.boxes[:, :2] - box[:, :2]).max(axis=1, initial=0) < 25
    poses = Poses(
        np.repeat(body[None], len(asked), axis=0),
        np.where(near, 0.9, 0.01)[:, None].repeat(17, axis=1).astype(np.float32),
        asked.boxes,
        asked.scores,
        COCO,
    )
    return tracker.update(poses, asked, t_s=t_s, size=SIZE)[0].poses


@pytest.mark.parametrize("model", ["constant_velocity", "kalman"])
def test_a_shove_of_the_camera_loses_nobody(model: str) -> None:
    rng = np.random.default_rng(2)
    body = rng.uniform([300, 120], [360, 320], (17, 2)).astype(np.float32)
    shove = motion(0, 1, (60, 0))
    still, moved = wall(), cv2.warpAffine(wall(), shove, SIZE, borderMode=cv2.BORDER_REFLECT)
    kept = {}
    for kind in ("none", "follow"):
        settings = TrackerSettings(camera_motion=kind, keypoint_threshold=0.3, motion=model)  # type: ignore[arg-type]
        tracker = Tracker(settings, COCO)
        for index in range(10):
            stay(still, tracker, body, index / 25, index == 0)
        after = stay(moved, tracker, transform_points(body, shove), 10 / 25, False)
        kept[kind] = len(after)
        if kind == "follow":
            apart = after.keypoints[0] - transform_points(body, shove)
            assert np.abs(apart).max() < 2, "the smoothing went along too"
    assert kept == {"none": 0, "follow": 1}
