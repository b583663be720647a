"""Hands and faces: where they are looked for, and what is made of the answers."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import LAYOUT

from posetrack.errors import ConfigError
from posetrack.parts import Parts, face_region, hand_region, joined_skeleton
from posetrack.skeletons import load_skeleton
from posetrack.tracking import preset
from posetrack.types import Poses, Tracks

COCO, HAND, FACE = (load_skeleton(n) for n in ("coco", "coco_wholebody_hand", "lapa"))
NAMES = COCO.keypoints


def person(*, at: tuple[float, float] = (100, 50), height: float = 400) -> Poses:
    """One upright figure, arms hanging, facing the camera."""
    points = np.asarray(LAYOUT, np.float32) * (height / 2.5, height) + at
    points = points[None].astype(np.float32)
    box = np.concatenate([points[0].min(axis=0), points[0].max(axis=0)])[None]
    return Poses(points, np.ones((1, 17)), box, np.ones(1), COCO)


def with_joint(poses: Poses, name: str, at: tuple[float, float], score: float = 1) -> Poses:
    points, scores = poses.keypoints.copy(), poses.scores.copy()
    points[:, NAMES.index(name)], scores[:, NAMES.index(name)] = at, score
    return Poses(points, scores, poses.boxes, poses.box_scores, COCO)


def test_a_hand_lies_past_the_wrist_along_the_forearm() -> None:
    poses = with_joint(person(), "left_elbow", (200, 200))
    poses = with_joint(poses, "left_shoulder", (200, 110))
    poses = with_joint(poses, "left_wrist", (300, 200))
    region = hand_region(poses, "left", 0.3)
    assert region.known.all()
    x1, y1, x2, y2 = region.boxes[0]
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((335, 200))
    assert (x2 - x1, y2 - y1) == pytest.approx((90, 90))


def test_a_forearm_towards_the_camera_is_measured_by_the_upper_arm() -> None:
    poses = with_joint(person(), "left_elbow", (200, 200))
    poses = with_joint(poses, "left_shoulder", (200, 100))
    poses = with_joint(poses, "left_wrist", (210, 200))
    x1, _, x2, _ = hand_region(poses, "left", 0.3).boxes[0]
    assert x2 - x1 == pytest.approx(0.9 * 0.9 * 100)


@pytest.mark.parametrize("hidden", ["left_wrist", "left_elbow"])
def test_a_hand_whose_arm_is_not_seen_is_not_looked_for(hidden: str) -> None:
    assert not hand_region(with_joint(person(), hidden, (0, 0), 0.1), "left", 0.3).known.any()


def test_a_face_holds_eyes_and_chin_and_turns_with_the_head() -> None:
    poses = person()
    for name, at in (
        ("left_eye", (331.5, 100)), ("right_eye", (268.5, 100)), ("nose", (300, 135)),
        ("left_ear", (375, 110)), ("right_ear", (225, 110)),
    ):  # fmt: skip
        poses = with_joint(poses, name, at)
    x1, y1, x2, y2 = face_region(poses, 0.3).boxes[0]
    assert (x1 + x2) / 2 == pytest.approx(300)
    assert x1 < 240
    assert x2 > 360
    assert y1 < 85
    assert y2 > 220, "the chin lies as far below the nose as the brows above it, and more"
    turned = Poses(poses.keypoints[..., ::-1].copy(), poses.scores, poses.boxes, [1], COCO)
    np.testing.assert_allclose(face_region(turned, 0.3).boxes[0], [y1, x1, y2, x2], atol=1e-3)


def test_the_back_of_a_head_has_no_face() -> None:
    poses = with_joint(person(), "nose", (0, 0), 0.0)
    assert not face_region(poses, 0.3).known.any()


def test_the_joined_skeleton_mirrors_hands_onto_each_other() -> None:
    joined = joined_skeleton(COCO, [("left_hand", HAND), ("right_hand", HAND), ("face", FACE)])
    assert len(joined) == 17 + 42 + 106
    order = joined.flip_order
    assert joined.keypoints[order[17]].startswith("right_hand")
    assert order[order].tolist() == list(range(len(joined)))
    assert joined.keypoints[17 + 42] == f"face_{FACE.keypoints[0]}"
    assert (17, 18) in joined.limbs


class _Middles:
    """Puts every keypoint of a part on the middle of its box."""

    keypoint_threshold = 0.3

    def __init__(self, skeleton) -> None:
        self.skeleton = skeleton
        self.asked: list[int] = []

    def __call__(self, image, boxes, /, *, box_scores) -> Poses:
        self.asked.append(len(boxes))
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        k = len(self.skeleton)
        scores = np.full((len(boxes), k), 0.9)
        return Poses(np.repeat(middle[:, None], k, 1), scores, boxes, box_scores, self.skeleton)


def _tracks(poses: Poses) -> Tracks:
    n = len(poses)
    return Tracks(poses, np.arange(n) + 5, np.ones(n), np.ones(n, np.bool_))


def test_parts_are_added_to_whoever_is_tracked_in_one_batch_a_network() -> None:
    settings = preset("default").resolved(keypoint_threshold=0.3, detection_threshold=0.3)
    hands, face = _Middles(HAND), _Middles(FACE)
    parts = Parts(COCO, settings, hands=hands, face=face)
    one, other = person(), with_joint(person(at=(600, 40)), "right_wrist", (0, 0), 0.1)
    poses = Poses(
        np.concatenate([one.keypoints, other.keypoints]),
        np.concatenate([one.scores, other.scores]),
        np.concatenate([one.boxes, other.boxes]),
        np.ones(2),
        COCO,
    )
    image = np.zeros((500, 900, 3), np.uint8)
    tracks, raw = parts(image, _tracks(poses), poses.keypoints, 0.0)
    assert hands.asked == [3], "one of the four wrists is hidden"
    assert face.asked == [2]
    assert tracks.ids.tolist() == [5, 6]
    assert tracks.poses.skeleton is parts.skeleton
    assert tracks.poses.keypoints.shape == raw.shape == (2, 165, 2)
    np.testing.assert_array_equal(tracks.poses.keypoints[:, :17], poses.keypoints)
    right = slice(17 + 21, 17 + 42)
    assert (tracks.poses.scores[0, right] > 0).all()
    assert (tracks.poses.scores[1, right] == 0).all()
    assert np.isfinite(tracks.poses.keypoints).all()


def test_nobody_has_no_parts() -> None:
    settings = preset("default").resolved(keypoint_threshold=0.3, detection_threshold=0.3)
    parts = Parts(COCO, settings, hands=_Middles(HAND))
    nobody = Tracks.empty(COCO)
    tracks, raw = parts(np.zeros((9, 9, 3), np.uint8), nobody, nobody.poses.keypoints, 0.0)
    assert tracks.poses.keypoints.shape == raw.shape == (0, 59, 2)


def test_a_body_without_wrists_is_refused() -> None:
    settings = preset("default").resolved(keypoint_threshold=0.3, detection_threshold=0.3)
    with pytest.raises(ConfigError, match="ap10k has no left_wrist to find them by"):
        Parts(load_skeleton("ap10k"), settings, hands=_Middles(HAND))
