from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracking.walkers import COCO, SIZE, Walker, tracker_of

from posetrack.geometry import box_area
from posetrack.tracking import TrackerSettings
from posetrack.tracking.association import People, oks_between
from posetrack.tracking.duplicates import keep_one_each, without_nested
from posetrack.tracking.rules import Rules
from posetrack.types import Bools, Detections, Floats, Poses

RULES = Rules.of(TrackerSettings(keypoint_threshold=0.3), COCO)
LEGS = slice(11, None)
A = Walker((300, 360), height=200).keypoints(0)


def stretched(keypoints: Floats, growth: float = 1.5) -> Floats:
    """A figure too tall for the person it stands on, with the person's legs."""
    tall = keypoints.copy()
    tall[:11, 1] = tall[15, 1] + growth * (tall[:11, 1] - tall[15, 1])
    return tall


def people(*points: Floats, scores: tuple[float, ...]) -> People:
    keypoints = np.stack(points).astype(np.float32)
    n = len(keypoints)
    boxes = np.concatenate([keypoints.min(axis=1) - 5, keypoints.max(axis=1) + 5], axis=1)
    table = np.repeat(np.array(scores, np.float32)[:, None], 17, axis=1)
    fits, looks = np.zeros((n, 4), np.float32), np.zeros((n, 0, 5), np.float32)
    return People(keypoints, table, boxes, table >= 0.3, box_area(boxes), fits, looks)


def kept(both: People, known: Bools) -> list[bool]:
    oks = oks_between(both, both, RULES)
    assert oks[0, 1] < RULES.settings.pose_nms
    return list(without_nested(both, np.ones(len(both), bool), lambda: known, oks, RULES).tolist())


def test_of_doubles_the_highest_rank_stays_and_unusable_rows_kill_nobody() -> None:
    same = np.ones((3, 3), np.float32)
    rank = np.array([0, 2, 1])
    every = np.ones(3, bool)
    assert keep_one_each(same, every, lambda: rank, 0.5).tolist() == [False, True, False]
    usable = np.array([True, False, True])
    assert keep_one_each(same, usable, lambda: rank, 0.5).tolist() == [False, False, True]
    apart = np.eye(3, dtype=np.float32)
    assert keep_one_each(apart, every, lambda: rank, 0.5).all()


@pytest.mark.parametrize("known", [False, True])
def test_a_figure_that_stands_on_somebodys_legs_is_nobody(known: bool) -> None:
    both = people(stretched(A), A, scores=(0.5, 0.8))
    assert kept(both, np.array([known, known])) == [False, True]
    both = people(stretched(A), A, scores=(0.8, 0.5))
    assert kept(both, np.array([known, known])) == [True, False]


def test_who_is_known_stays_behind_another_whose_limbs_he_does_not_share() -> None:
    behind = A + np.array([14, 9], np.float32)
    behind = (behind - behind.mean(axis=0)) * np.float32(0.7) + behind.mean(axis=0)
    both = people(A, behind, scores=(0.8, 0.6))
    assert kept(both, np.array([True, True])) == [True, True]
    assert kept(both, np.array([True, False])) == [True, False]


def test_two_beside_each_other_are_two_with_limbs_in_common() -> None:
    beside = A + np.array([60, 0], np.float32)
    beside[LEGS] = A[LEGS]
    both = people(A, beside, scores=(0.8, 0.6))
    assert kept(both, np.array([False, False])) == [True, True]


def test_a_detection_that_is_too_tall_is_no_second_person() -> None:
    def ids_with(settings: TrackerSettings) -> int:
        tracker, seen = tracker_of(settings), set()
        for frame in range(10):
            points = [A] if frame < 3 else [A, stretched(A)]
            boxes = np.stack([np.concatenate([p.min(0) - 5, p.max(0) + 5]) for p in points])
            found = Detections.from_boxes(boxes.astype(np.float32))
            asked = tracker.propose(found, t_s=frame / 30, size=SIZE)
            nearest = [int(np.abs(boxes - box).sum(axis=1).argmin()) for box in asked.boxes]
            keypoints = np.stack([points[row] for row in nearest])
            scores = np.repeat(np.array([[0.8], [0.6]])[nearest], 17, axis=1)
            poses = Poses(keypoints, scores, asked.boxes, asked.scores, COCO)
            tracks, _ = tracker.update(poses, asked, t_s=frame / 30, size=SIZE)
            seen |= set(tracks.ids.tolist())
        return len(seen)

    settings = TrackerSettings(keypoint_threshold=0.3)
    assert ids_with(settings) == 1
    assert ids_with(replace(settings, nested_oks=None)) == 2
