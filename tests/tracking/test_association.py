from __future__ import annotations

import itertools

import numpy as np
import pytest
from tracking.walkers import COCO, Walker

from posetrack.tracking import TrackerSettings, association, preset
from posetrack.tracking.association import (
    People,
    distance_scores,
    mean_visible_score,
    oks_between,
    pair,
    read_people,
)
from posetrack.tracking.rules import Rules
from posetrack.types import Floats, Poses

SIZE = (640, 480)


def read(poses: Poses, by: Rules) -> tuple[People, np.ndarray]:
    fits, detected = np.zeros((len(poses), 4), np.float32), np.zeros(len(poses), bool)
    return read_people(poses, by, SIZE, fits=fits, detected=detected)


def rules(settings: TrackerSettings | None = None) -> Rules:
    return Rules.of((settings or TrackerSettings()).resolved(keypoint_threshold=0.3), COCO)


def people(*points: Floats, score: float = 0.9, by: Rules | None = None) -> People:
    keypoints = np.stack(points).astype(np.float32)
    n = len(keypoints)
    scores = np.full((n, 17), score, np.float32)
    poses = Poses(keypoints, scores, np.zeros((n, 4)), np.ones(n), COCO)
    return read(poses, by or rules())[0]


A = Walker((200, 240), height=200).keypoints(0)
B = Walker((420, 240), height=200).keypoints(0)


def test_oks_is_one_with_itself_and_none_with_a_stranger() -> None:
    for settings in (TrackerSettings(), preset("mmdeploy")):
        both = people(A, B)
        np.testing.assert_allclose(oks_between(both, both, rules(settings)), np.eye(2), atol=1e-3)


def test_hidden_keypoints_do_not_count_in_cocos_oks() -> None:
    a, b = people(A), people(A)
    b.keypoints[0, 9] += 100
    b.visible[0, 9] = False
    assert oks_between(a, b, rules())[0, 0] == pytest.approx(1)
    assert oks_between(a, b, rules(preset("mmdeploy")))[0, 0] < 0.99


def test_mmdeploys_oks_takes_the_diagonal_and_the_plain_sigma() -> None:
    by = rules(preset("mmdeploy"))
    a, b = people(A, by=by), people(A + 5, by=by)
    diagonal = np.hypot(*(a.boxes[0, 2:] - a.boxes[0, :2]))
    sigmas = np.array(COCO.sigmas)
    expected = np.exp(-50 / (2 * diagonal**2 * sigmas**2)).mean()
    assert oks_between(a, b, by)[0, 0] == pytest.approx(expected, rel=1e-4)


def test_mmdeploys_gate_opens_with_age_as_its_shipped_code_does() -> None:
    # FIELD.md 1.6: radius of the gate as a share of sqrt(w * h) by age in frames.
    by = rules(preset("mmdeploy"))
    known = {1: 0.337, 2: 0.400, 5: 0.548, 10: 0.731, 30: 1.213, 100: 2.179}
    track = people(A, by=by)
    size = np.sqrt(np.prod(track.boxes[0, 2:] - track.boxes[0, :2]))
    for age, radius in known.items():
        for share, inside in ((0.998, True), (1.002, False)):
            row = people(A + np.array([share * radius * size, 0]), by=by)
            score = distance_scores(row, track, by, np.array([age]))
            assert np.isfinite(score[0, 0]) == inside, (age, share)


def test_poses_with_too_few_keypoints_are_not_usable() -> None:
    scores = np.full((2, 17), 0.1, np.float32)
    scores[0, :5] = scores[1, :4] = 0.8
    poses = Poses(np.stack([A, A]), scores, np.zeros((2, 4)), np.ones(2), COCO)
    found, usable = read(poses, rules())
    assert usable.tolist() == [True, False]
    np.testing.assert_allclose(mean_visible_score(found), 0.8)


def test_a_pose_outside_the_image_is_not_usable() -> None:
    poses = Poses(A[None] + 5000, np.ones((1, 17)), np.zeros((1, 4)), np.ones(1), COCO)
    assert not read(poses, rules())[1].any()


def test_greedy_takes_the_best_first_and_optimal_the_best_sum() -> None:
    similarity = np.array([[0.9, 0.8], [0.8, 0.1]], np.float32)
    assert list(zip(*pair(similarity, 0.3), strict=True)) == [(0, 0)]
    assert sorted(zip(*pair(similarity, 0.3, "optimal"), strict=True)) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("method", ["greedy", "optimal"])
def test_pairs_are_unique_and_never_below_the_threshold(method: str) -> None:
    rng = np.random.default_rng(0)
    for n, m in itertools.product((0, 1, 4, 7), repeat=2):
        similarity = rng.uniform(0, 1, (n, m)).astype(np.float32)
        rows, columns = pair(similarity, 0.6, method)
        assert len(set(rows)) == len(rows) == len(set(columns))
        assert (similarity[rows, columns] >= 0.6).all()
        free = np.ix_(np.setdiff1d(np.arange(n), rows), np.setdiff1d(np.arange(m), columns))
        assert not (similarity[free] >= 0.6).any()


def test_forbidden_pairs_are_never_made() -> None:
    similarity = np.full((3, 2), -np.inf)
    for method in ("greedy", "optimal"):
        assert len(pair(similarity, -100, method)[0]) == 0


@pytest.mark.parametrize("seed", range(40))
def test_the_best_sum_is_found_with_and_without_a_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    similarity = np.asarray(rng.uniform(size=rng.integers(1, 5, 2)), np.float32)
    threshold = rng.choice([0.4, 0.6, 0.8])
    rows, columns = pair(similarity, threshold, "optimal")
    n, m = similarity.shape
    padded = np.zeros((n, m + n))  # a row may stay alone
    padded[:, :m] = np.where(similarity >= threshold, similarity + 10, -100)
    ways = itertools.permutations(range(m + n), n)
    best = max(padded[np.arange(n), list(way)].sum() for way in ways)
    assert (similarity[rows, columns] + 10).sum() == pytest.approx(best)


def test_rivals_for_one_track_need_no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("there was one choice")

    monkeypatch.setattr(association, "load_solver", refuse)
    similarity = np.array([[0.1, 0.9, 0.2], [0.8, 0.0, 0.1], [0.2, 0.6, 0.3]], np.float32)
    rows, columns = pair(similarity, 0.5, "optimal")
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(0, 1), (1, 0)}
