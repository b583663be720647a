"""COCO's AP as it is called here, against a plain and slow one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluation.people import COCO, Row, annotated, person, standing

from posetrack.errors import BackendMissing
from posetrack.evaluation.coco import Ground, average_precision, require_evaluator
from posetrack.evaluation.truth import box_answers, box_ground, keypoint_answers, keypoint_ground
from posetrack.evaluation.wholebody import PARTS, part_figures
from posetrack.skeletons import load_skeleton

pytest.importorskip("faster_coco_eval")


def similarity(answer: Row, truth: Row, sigmas: Any) -> float:
    """OKS of one answer and one annotated person, one keypoint after the other."""
    total, count = 0.0, 0
    for k, sigma in enumerate(sigmas):
        x, y, v = truth["keypoints"][3 * k : 3 * k + 3]
        if v > 0:
            dx, dy = answer["keypoints"][3 * k] - x, answer["keypoints"][3 * k + 1] - y
            total += np.exp(-(dx * dx + dy * dy) / (2 * truth["area"] * (2 * sigma) ** 2))
            count += 1
    return total / count


def slow_precision(ground: Ground, answers: list[Row], limit: float) -> float:
    """AP at one OKS, for people who are all counted."""
    marks = []
    for picture in {row["image_id"] for row in answers}:
        here = [row for row in answers if row["image_id"] == picture]
        people = [row for row in ground.rows if row["image_id"] == picture]
        taken: set[int] = set()
        for answer in sorted(here, key=lambda row: -row["score"])[:20]:
            best, best_oks = -1, limit
            for truth in people:
                oks = similarity(answer, truth, ground.sigmas)
                if truth["id"] not in taken and oks >= best_oks:
                    best, best_oks = truth["id"], oks
            taken.add(best)
            marks.append((answer["score"], best >= 0))
    marks.sort(key=lambda mark: -mark[0])
    hits, curve = 0, []
    for number, (_, hit) in enumerate(marks, 1):
        hits += hit
        curve.append((hits / len(ground.rows), hits / number))
    points = [max((p for r, p in curve if r >= level), default=0) for level in np.arange(101) / 100]
    return sum(points) / 101


@pytest.mark.parametrize("seed", range(3))
def test_keypoint_precision_is_that_of_a_slow_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pictures, answers = [], []
    for key in range(5):
        people = [standing(rng) for _ in range(int(rng.integers(1, 4)))]
        pictures.append([person(p, rng.random(17) < 0.8, area=4000) for p in people])
        found = np.concatenate([np.stack(people), np.stack(people)[:1]])
        found = found + rng.normal(0, rng.uniform(1, 12, (len(found), 1, 1)), found.shape)
        answers += keypoint_answers(key, found.astype(np.float32), rng.random(len(found)))
    ground = keypoint_ground(annotated(pictures), COCO)
    figures = average_precision(ground, answers).figures
    expected = [slow_precision(ground, answers, 0.5 + 0.05 * i) for i in range(10)]
    assert 0.1 < expected[0] <= 1
    assert len({round(e, 3) for e in expected}) > 3, "a case that tells nothing apart"
    assert figures["ap50"] == pytest.approx(expected[0])
    assert figures["ap75"] == pytest.approx(expected[5])
    assert figures["ap"] == pytest.approx(np.mean(expected))
    assert figures["ap_large"] is None


def test_pictures_can_be_chosen() -> None:
    rng = np.random.default_rng(0)
    people = [standing(rng) for _ in range(2)]
    ground = keypoint_ground(annotated([[person(p)] for p in people]), COCO)
    answers = keypoint_answers(0, people[0][None], np.ones(1, np.float32))
    assert average_precision(ground, answers).figures["ar"] == pytest.approx(0.5)
    assert average_precision(ground, answers, [0]).figures["ap"] == pytest.approx(1)
    assert average_precision(ground, answers, [1]).figures["ap"] == 0
    assert average_precision(ground, answers, []).figures == {}
    assert average_precision(ground, []).figures["ap"] == 0


@pytest.mark.parametrize("complete", [True, False])
def test_unannotated_people_are_false_only_where_everybody_is_annotated(complete: bool) -> None:
    rng = np.random.default_rng(3)
    known, stranger = standing(rng) * 0.4, standing(rng) * 0.4 + 220
    low, side = stranger.min(0), np.ptp(stranger, axis=0)
    seen = [float(v) for v in (*low, *side, 0.5)]
    fields = [{"boxes_complete": complete, "pseudo_dets": [seen]}]
    ground = keypoint_ground(annotated([[person(known)]], fields=fields), COCO)
    both = np.stack([stranger, known]).astype(np.float32)
    answers = keypoint_answers(0, both, np.array([0.9, 0.8], np.float32))
    expected = 0.5 if complete else 1
    assert average_precision(ground, answers).figures["ap50"] == pytest.approx(expected)


def test_machine_made_joints_are_no_truth() -> None:
    rng = np.random.default_rng(0)
    points = standing(rng)
    ground = keypoint_ground(annotated([[person(points, pseudo_kp=1)], [person(points)]]), COCO)
    assert [row["num_keypoints"] for row in ground.rows] == [0, 17]


def test_boxes_have_the_area_of_their_annotation_and_a_class() -> None:
    cat = {"bbox": [10, 10, 40, 40], "area": 900, "category_id": 2}
    dog = {"bbox": [100, 100, 200, 200], "area": 20000, "category_id": 5}
    crowd = {"bbox": [0, 0, 50, 50], "area": 1, "category_id": 5, "iscrowd": 1}
    ground = box_ground(annotated([[cat, dog, crowd]]), (2, 5))
    answers = box_answers(0, 2, np.float32([[10, 10, 50, 50]]), np.float32([0.9]))
    answers += box_answers(0, 5, np.float32([[5, 5, 45, 45]]), np.float32([0.9]))
    precision = average_precision(ground, answers)
    assert precision.figures["ap_small"] == pytest.approx(1), "30 x 30 by its annotated area"
    assert precision.figures["ap_large"] == 0
    assert precision.figures["ap"] == pytest.approx(0.5), "the mean of the two classes"
    assert precision.figures["ap_medium"] is None


def test_the_parts_of_a_whole_body_are_told_apart() -> None:
    skeleton = load_skeleton("coco_wholebody")
    rng = np.random.default_rng(0)
    points = standing(rng, 133)
    wrong = points.copy()
    wrong[PARTS["face"]] += 200
    made = annotated([[person(points)]], skeleton=skeleton)
    one = np.ones(1, np.float32)
    figures = part_figures(
        made, skeleton, lambda columns: keypoint_answers(0, wrong[None], one, columns)
    )
    assert list(figures) == list(PARTS)
    assert figures["face"]["ap"] == 0
    assert figures["body"]["ap"] == figures["feet"]["ap"] == pytest.approx(1)
    assert figures["left hand"]["ap"] == figures["hands"]["ap"] == pytest.approx(1)
    assert figures["whole"]["ap"] == 0, "68 of 133 are wrong"
    assert part_figures(made, COCO, lambda columns: []) == {}


def test_without_the_evaluator_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("posetrack.evaluation.coco.find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r"pip install posetrack\[eval\]"):
        require_evaluator()
