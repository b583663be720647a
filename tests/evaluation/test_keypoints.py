"""PCKh, AUC, EPE and NME by hand and against plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.datasets.annotations import Person, Picture
from posetrack.datasets.images import ImageStore
from posetrack.evaluation.heads import head_sizes
from posetrack.evaluation.keypoints import Errors, all_metrics, per_keypoint
from posetrack.skeletons import Skeleton, load_skeleton

TWO = Skeleton("two", ("a", "b"), sigmas=(0.5, 0.25))
HEADED = Skeleton("headed", ("head", "neck", "foot"))


def person(points: Any, seen: Any, box: Any = (0, 0, 50, 200), **row: Any) -> Person:
    labelled = np.array(seen, np.float32)
    picture = Picture(ImageStore(Path(__file__).parent), "x", (200, 200), "a", {})
    corners = np.array(box, np.float32)
    return Person(picture, corners, np.array(points, np.float32), labelled, 100, labelled, row)


def test_distances_by_hand() -> None:
    people = [
        person([[10, 10], [20, 20]], [1, 1]),  # off by 6 and 8 px
        person([[10, 10], [20, 20]], [1, 0]),  # off by 30 px
    ]
    found = np.array([[[16, 10], [20, 28]], [[10, 40], [99, 99]]], np.float32)
    metrics = all_metrics(people, found, TWO)
    assert metrics["epe_px"] == pytest.approx((6 + 8 + 30) / 3)
    # The root of the box's area is 100 px; people count, not keypoints.
    assert metrics["nme"] == pytest.approx((0.07 + 0.3) / 2)
    # Shares of 200 px: .03, .04 and .15 of the way to .2.
    assert metrics["auc"] == pytest.approx((0.85 + 0.8 + 0.25) / 3)
    assert metrics["pckh@0.5"] is None
    pair = all_metrics(people, found, TWO, pair=(0, 1))
    assert pair["nme"] == pytest.approx(7 / np.hypot(10, 10)), "the second has but one of the pair"


def test_somebody_not_found_costs_pck_and_no_pixels() -> None:
    people = [person([[10, 10], [20, 20]], [1, 1]) for _ in range(2)]
    found = np.array([[[10, 10], [20, 20]], [[np.inf, np.inf]] * 2], np.float32)
    metrics = all_metrics(people, found, TWO)
    assert metrics["pck@0.1"] == 0.5
    assert metrics["oks"] == 0.5
    assert metrics["epe_px"] == metrics["nme"] == 0


def test_the_pixel_auc_is_the_area_under_its_curve() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 200, (6, 2, 2))
    seen = rng.random((6, 2)) < 0.7
    found = (truth + rng.normal(0, 20, truth.shape)).astype(np.float32)
    people = [person(t, s) for t, s in zip(truth, seen, strict=True)]
    total = 0.0
    for step in range(20):
        shares = []
        for k in range(2):
            near = [
                np.linalg.norm(found[i, k] - people[i].keypoints[k]) / 30 < step / 20
                for i in range(6)
                if seen[i, k]
            ]
            shares.append(sum(near) / len(near))
        total += sum(shares) / len(shares) / 20
    metrics = all_metrics(people, found, TWO)
    assert 0.05 < total < 0.9
    assert metrics["auc@30px"] == pytest.approx(total)


def test_a_head_is_known_from_its_box_its_extra_points_or_its_keypoints() -> None:
    points = [[10, 10], [10, 40], [10, 100]]
    people = [
        person(points, [1, 1, 1]),
        person(points, [1, 0, 1]),
        person(points, [0, 0, 1], head_box=[0, 0, 30, 40]),
        person(points, [0, 0, 1], extra={"head_top": [5, 5, 2], "neck": [5, 25, 2]}),
        person(points, [0, 0, 1], extra={"head_top": [5, 5, 0], "neck": [5, 25, 2]}),
    ]
    np.testing.assert_allclose(head_sizes(people, HEADED), [30, 0, 30, 20, 0])


def test_pckh_takes_half_a_head_and_leaves_out_people_without_one() -> None:
    points = [[10, 10], [10, 40], [10, 100]]
    people = [person(points, [1, 1, 1]), person(points, [1, 0, 1])]
    found = np.array([points, points], np.float32)
    found[0, 0, 0] += 14  # of a head of 30
    found[0, 1, 0] += 16
    found[1] += 500
    assert all_metrics(people, found, HEADED)["pckh@0.5"] == pytest.approx(2 / 3)


def test_keypoints_are_told_apart() -> None:
    people = [person([[10, 10], [20, 20]], [1, i > 0]) for i in range(3)]
    found = np.stack([p.keypoints for p in people])
    found[:, 1, 0] += [0, 10, 50]
    a, b = per_keypoint(Errors.of(people, found, TWO))
    assert a == {"annotated": 3, "pck@0.1": 1, "median": 0, "p90": 0}
    assert b["annotated"] == 2
    assert b["pck@0.1"] == 0.5
    assert b["median"] == pytest.approx(0.05)


def test_nobody_has_no_figures() -> None:
    coco = load_skeleton("coco")
    assert all_metrics([], np.empty((0, 17, 2), np.float32), coco) == {}
