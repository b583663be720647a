"""Metrics by hand, and against COCO's own evaluation where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from posetrack.datasets.annotations import Person, Picture
from posetrack.datasets.images import ImageStore
from posetrack.evaluation.boxes import (
    BoxTruth,
    average_precision,
    detection_metrics,
    match_boxes,
)
from posetrack.evaluation.keypoints import by_source, pose_metrics
from posetrack.geometry import oks_matrix
from posetrack.skeletons import Skeleton, load_skeleton

COCO = load_skeleton("coco")
Floats = npt.NDArray[np.float32]


def person(
    keypoints: Any, seen: Any, *, box: Any = (0, 0, 50, 100), area: float = 100, source: str = "a"
) -> Person:
    labelled = np.array(seen, np.float32)
    picture = Picture(ImageStore(Path(__file__).parent), "x", (200, 200), source, {})
    points, corners = np.array(keypoints, np.float32), np.array(box, np.float32)
    return Person(picture, corners, points, labelled, area, labelled)


def test_keypoint_metrics_by_hand() -> None:
    two = Skeleton("two", ("a", "b"), sigmas=(0.5, 0.25))
    people = [
        person([[10, 10], [20, 20]], [1, 1]),  # off by 9 and by 11 of 100 px
        person([[10, 10], [20, 20]], [1, 0], area=64),  # off by 21; the other is not annotated
    ]
    found = np.array([[[19, 10], [20, 31]], [[10, 31], [99, 99]]], np.float32)
    metrics = pose_metrics(people, found, two)
    assert metrics["pck@0.1"] == pytest.approx(1 / 3)
    assert metrics["pck@0.2"] == pytest.approx(2 / 3)
    first = (np.exp(-(9**2) / (2 * 100 * 1**2)) + np.exp(-(11**2) / (2 * 100 * 0.5**2))) / 2
    second = np.exp(-(21**2) / (2 * 64 * 1**2))
    assert metrics["oks"] == pytest.approx((first + second) / 2)
    assert metrics["oks>.5"] == 0
    assert metrics["people"] == 2


def test_perfect_keypoints_score_one_whatever_the_unannotated_ones_are() -> None:
    truth = np.arange(34).reshape(17, 2)
    found = np.where(np.arange(17)[:, None] < 5, truth, -1000)[None].astype(np.float32)
    metrics = pose_metrics([person(truth, [1] * 5 + [0] * 12)], found, COCO)
    assert {metrics[k] for k in ("pck@0.1", "pck@0.2", "oks", "oks>.5")} == {1.0}


def test_keypoint_metrics_are_told_by_source() -> None:
    truth = np.zeros((17, 2))
    people = [person(truth, [1] * 17, source=s) for s in ("b", "a", "b")]
    found = np.zeros((3, 17, 2), np.float32)
    found[1] += 1000
    table = by_source(people, found, COCO)
    assert list(table) == ["all", "a", "b"]
    assert [table[k]["pck@0.1"] for k in table] == [pytest.approx(2 / 3), 0, 1]
    assert pose_metrics([], np.empty((0, 17, 2), np.float32), COCO) == {}


def test_boxes_match_once_and_by_falling_score() -> None:
    truth = np.array([[0, 0, 10, 10], [100, 0, 110, 10]], np.float32)
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [100, 0, 110, 30]], np.float32)
    picture = BoxTruth(truth, np.empty((0, 4), np.float32), found, np.float32([0.9, 0.8, 0.7]))
    scores, hits, total = match_boxes([picture])
    np.testing.assert_allclose(scores, [0.9, 0.8, 0.7])
    assert hits.tolist() == [1, 0, 0], "doubles and boxes of a third of the overlap are false"
    assert total == 2


def test_false_boxes_in_ignore_regions_do_not_count() -> None:
    none = np.empty((0, 4), np.float32)
    region = np.array([[50, 50, 100, 100]], np.float32)
    found = np.array([[60, 60, 90, 90], [0, 0, 30, 30], [40, 40, 60, 60]], np.float32)
    scores, hits, _ = match_boxes([BoxTruth(none, region, found, np.float32([0.9, 0.8, 0.7]))])
    np.testing.assert_allclose(scores, [0.8, 0.7])
    assert not hits.any()


def test_recall_is_told_at_the_threshold_that_leaves_the_allowed_false_boxes() -> None:
    none = np.empty((0, 4), np.float32)
    truth = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)
    away = np.array([[200, 200, 210, 210], [300, 300, 310, 310]], np.float32)
    found = np.concatenate([truth[:1], away[:1], truth[1:2], away[1:], truth[2:]])
    scores = np.float32([0.9, 0.8, 0.7, 0.6, 0.5])
    metrics = detection_metrics([BoxTruth(truth, none, found, scores)], false_per_image=1)
    assert metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["threshold"] == pytest.approx(0.7)
    assert metrics["false_per_image"] == 1
    assert metrics["boxes"] == 3
    # Precision 1, 2/3, 3/5 up to recall 1/3, 2/3, 1 at 34, 33 and 34 of the 101 points.
    assert metrics["ap50"] == pytest.approx((34 * 1 + 33 * 2 / 3 + 34 * 3 / 5) / 101)


def test_nothing_found_and_nothing_to_find_are_zeros() -> None:
    none, scores = np.empty((0, 4), np.float32), np.empty(0, np.float32)
    metrics = detection_metrics([BoxTruth(none, none, none, scores)], false_per_image=1)
    assert metrics["ap50"] == metrics["recall"] == 0
    assert metrics["threshold"] == 1
    assert average_precision(scores, scores, 5) == 0


def coco_truth(rows: list[dict[str, Any]], images: int) -> Any:
    """COCO's index of annotation rows."""
    evaluation = pytest.importorskip("faster_coco_eval")
    category = {"id": 1, "name": "person", "keypoints": list(COCO.keypoints), "skeleton": []}
    records = [{"id": i, "width": 400, "height": 400, "file_name": str(i)} for i in range(images)]
    rows = [{"id": i + 1, "category_id": 1, "iscrowd": 0} | row for i, row in enumerate(rows)]
    return evaluation.COCO({"images": records, "annotations": rows, "categories": [category]})


def xywh(b: Floats) -> list[float]:
    return [float(v) for v in (b[0], b[1], b[2] - b[0], b[3] - b[1])]


def random_boxes(rng: np.random.Generator, count: int) -> Floats:
    corners, sides = rng.uniform(0, 300, (count, 2)), rng.uniform(20, 100, (count, 2))
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_cocos(seed: int) -> None:
    evaluation = pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(seed)
    pictures, rows, answers = [], [], []
    for i in range(12):
        truth, crowd = random_boxes(rng, int(rng.integers(0, 6))), random_boxes(rng, i % 2)
        near = truth + rng.normal(0, 6, truth.shape).astype(np.float32)
        found = np.concatenate([near, near[:2] + 2, random_boxes(rng, 4), crowd * 0.99 + 1])
        scores = rng.permutation(1000)[: len(found)].astype(np.float32) / 1000
        pictures.append(BoxTruth(truth, crowd, found, scores))
        for boxes, flag in ((truth, 0), (crowd, 1)):
            rows += [
                {"image_id": i, "bbox": xywh(b), "area": float((b[2:] - b[:2]).prod())}
                | {"iscrowd": flag}
                for b in boxes
            ]
        answers += [
            {"image_id": i, "category_id": 1, "bbox": xywh(b), "score": float(s)}
            for b, s in zip(found, scores, strict=True)
        ]
    truth_index = coco_truth(rows, 12)
    run = evaluation.COCOeval_faster(truth_index, truth_index.loadRes(answers), iouType="bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    ours = detection_metrics(pictures, false_per_image=1)
    assert 0.2 < ours["ap50"] < 0.95
    assert ours["ap50"] == pytest.approx(run.stats[1], abs=1e-6)


def test_object_keypoint_similarity_is_cocos() -> None:
    evaluation = pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 200, (5, 17, 2)).astype(np.float32)
    found = (truth + rng.normal(0, 8, truth.shape)).astype(np.float32)
    seen = rng.random((5, 17)) < 0.7
    areas = rng.uniform(2000, 30000, 5)

    def flat(points: Floats, marks: npt.NDArray[Any]) -> list[float]:
        return [float(v) for v in np.column_stack([points, 2 * marks]).ravel()]

    rows = [
        {"image_id": 0, "bbox": [0, 0, 200, 200], "area": float(areas[i])}
        | {"keypoints": flat(truth[i], seen[i]), "num_keypoints": int(seen[i].sum())}
        for i in range(5)
    ]
    answers = [
        {"image_id": 0, "category_id": 1, "score": 1 - i / 10}
        | {"keypoints": flat(found[i], np.ones(17))}
        for i in range(5)
    ]
    index = coco_truth(rows, 1)
    run = evaluation.COCOeval_faster(
        index, index.loadRes(answers), iouType="keypoints", kpt_oks_sigmas=list(COCO.sigmas)
    )
    run.params.imgIds, run.params.catIds = [0], [1]
    run._prepare()
    theirs = np.array(run.computeOks(0, 1))  # (found, truth)
    ours = oks_matrix(
        found,
        truth,
        variance=(2 * np.array(COCO.sigmas, np.float32)) ** 2,
        scale_sq=areas[None].astype(np.float32),
        visible=np.broadcast_to(seen[None], (5, 5, 17)),
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    people = [person(truth[i], seen[i], area=float(areas[i])) for i in range(5)]
    assert pose_metrics(people, found, COCO)["oks"] == pytest.approx(
        np.diag(theirs).mean(), abs=1e-4
    )
