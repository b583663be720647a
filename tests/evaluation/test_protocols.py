"""What the sets of the family measure, against plain loops and truth made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluation.people import Heart, Row, annotated, person, standing
from evaluation.test_coco import slow_precision

from posetrack.evaluation.coco import Ground
from posetrack.evaluation.keypoints import EYE_CORNERS, all_metrics
from posetrack.evaluation.pose import evaluate_pose
from posetrack.evaluation.protocols import crowding_figures
from posetrack.evaluation.truth import keypoint_answers, keypoint_ground
from posetrack.evaluation.wholebody import PARTS, part_figures
from posetrack.skeletons import load_skeleton
from posetrack.types import Floats

pytest.importorskip("faster_coco_eval")


def slow_ap(ground: Ground, answers: list[Row]) -> float:
    return float(np.mean([slow_precision(ground, answers, 0.5 + 0.05 * i) for i in range(10)]))


def some(rng: np.random.Generator, count: int, pictures: int) -> tuple[list[list[Floats]], Floats]:
    """People of each picture, and how far off each of them is found (px)."""
    people = [[standing(rng, count) for _ in range(2)] for _ in range(pictures)]
    return people, rng.uniform(0, 14, (pictures, 2)).astype(np.float32)


def only(ground: Ground, answers: list[Row], keys: set[int]) -> tuple[Ground, list[Row]]:
    rows = tuple(row for row in ground.rows if row["image_id"] in keys)
    return Ground(ground.images, rows, ground.categories, ground.sigmas), [
        row for row in answers if row["image_id"] in keys
    ]


def test_crowdpose_has_its_sigmas_its_areas_and_three_degrees_of_crowding() -> None:
    skeleton = load_skeleton("crowdpose")
    rng = np.random.default_rng(0)
    people, off = some(rng, 14, 6)
    index = [0.0, 0.19, 0.2, 0.5, 0.8, 1.0]
    rows = [[person(p) for p in here] for here in people]
    for row in (row for here in rows for row in here):
        del row["area"]  # the official file has none
    fields = [{"crowdIndex": value, "boxes_complete": True} for value in index]
    made = annotated(rows, fields=fields, skeleton=skeleton)
    ground = keypoint_ground(made, skeleton)
    box = rows[0][0]["bbox"]
    assert ground.rows[0]["area"] == pytest.approx(0.53 * box[2] * box[3])
    answers: list[Row] = []
    for key, here in enumerate(people):
        found = np.stack(here) + rng.normal(0, 1, (2, 14, 2)) * off[key][:, None, None]
        answers += keypoint_answers(key, found.astype(np.float32), rng.random(2).astype(np.float32))
    figures = crowding_figures(made, ground, answers)
    for name, keys in (("easy", {0, 1}), ("medium", {2, 3}), ("hard", {4, 5})):
        expected = slow_ap(*only(ground, answers, keys))
        assert figures[f"ap_crowd_{name}"] == pytest.approx(expected)
    assert len(set(figures.values())) == 3, "a case that tells nothing apart"
    assert crowding_figures(annotated(rows, skeleton=skeleton), ground, answers) == {}


def test_the_ap_of_animals_is_the_mean_of_their_species() -> None:
    skeleton = load_skeleton("ap10k")
    rng = np.random.default_rng(1)
    people, _ = some(rng, 17, 4)
    kinds = [3, 3, 3, 7]  # cats are found, the only dogs are not
    rows = [[person(p, category_id=kinds[key]) for p in here] for key, here in enumerate(people)]
    made = annotated(rows, skeleton=skeleton, categories={3: "cat", 7: "dog"})
    heart = Heart(dict(enumerate(people)), lambda key: 500.0 * (kinds[key] == 7), skeleton)
    figures = evaluate_pose(made, heart).figures["all"]
    assert figures["ap_categories"] == pytest.approx((1 + 0) / 2)
    assert figures["ap"] == pytest.approx(0.75, abs=0.01), "of all animals together"


def test_one_category_has_no_mean_over_categories() -> None:
    rng = np.random.default_rng(1)
    people, _ = some(rng, 17, 2)
    heart = Heart(dict(enumerate(people)), lambda key: 0.0, load_skeleton("coco"))
    found = evaluate_pose(annotated([[person(p) for p in here] for here in people]), heart)
    assert found.figures["all"]["ap_categories"] is None


def measured(name: str, rows: list[Row], found: Floats) -> dict[str, Any]:
    skeleton = load_skeleton(name)
    people = list(annotated([[row] for row in rows], skeleton=skeleton).people(skeleton))
    return all_metrics(people, found.astype(np.float32), skeleton)


def test_pckh_of_mpii_is_pooled_without_pelvis_and_thorax() -> None:
    rng = np.random.default_rng(2)
    truth = np.stack([standing(rng, 16) for _ in range(5)])
    seen = rng.random((5, 16)) < 0.8
    heads = rng.uniform(20, 60, (5, 2))
    found = truth + rng.normal(0, 12, truth.shape)
    hits = count = 0
    for i in range(5):
        for k in range(16):
            if seen[i, k] and k not in (6, 7):
                size = 0.6 * float(np.hypot(*heads[i]))
                hits += float(np.linalg.norm(found[i, k] - truth[i, k])) <= 0.5 * size
                count += 1
    rows = [person(truth[i], seen[i], head_box=[0, 0, *map(float, heads[i])]) for i in range(5)]
    figures = measured("mpii", rows, found)
    assert 0.3 < hits / count < 0.95
    assert figures["pckh@0.5"] == pytest.approx(hits / count)


@pytest.mark.parametrize(("name", "corners"), EYE_CORNERS.items())
def test_the_error_of_faces_is_divided_by_the_distance_of_the_outer_eye_corners(
    name: str, corners: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    count = len(load_skeleton(name))
    truth = np.stack([standing(rng, count) for _ in range(4)])
    found = truth + rng.normal(0, 3, truth.shape)
    shares = []
    for i in range(4):
        between = np.linalg.norm(truth[i, corners[0]] - truth[i, corners[1]])
        shares += [np.linalg.norm(found[i, k] - truth[i, k]) / between for k in range(count)]
    figures = measured(name, [person(p) for p in truth], found)
    assert figures["nme"] == pytest.approx(np.mean(shares), rel=1e-4)


def test_the_corners_are_mirrored_by_each_other() -> None:
    for name, (one, other) in EYE_CORNERS.items():
        assert load_skeleton(name).flip_order[one] == other, name


def test_hands_have_auc_epe_and_pck() -> None:
    rng = np.random.default_rng(4)
    truth = np.stack([standing(rng, 21) for _ in range(6)])
    seen = rng.random((6, 21)) < 0.9
    found = truth + rng.normal(0, 15, truth.shape)
    rows = [person(truth[i], seen[i]) for i in range(6)]
    figures = measured("coco_wholebody_hand", rows, found)
    errors = [np.linalg.norm(found[i, k] - truth[i, k]) for i, k in np.argwhere(seen)]
    sides = [max(rows[i]["bbox"][2:]) for i, _ in np.argwhere(seen)]
    assert figures["epe_px"] == pytest.approx(np.mean(errors), rel=1e-4)
    near = [error <= 0.2 * side for error, side in zip(errors, sides, strict=True)]
    assert figures["pck@0.2"] == pytest.approx(np.mean(near))
    curves = []
    for k in range(21):
        here = [np.linalg.norm(found[i, k] - truth[i, k]) for i in range(6) if seen[i, k]]
        curves.append(np.mean([[d / 30 < step / 20 for d in here] for step in range(20)]))
    assert figures["auc@30px"] == pytest.approx(np.mean(curves))


@pytest.mark.parametrize("part", PARTS)
def test_the_ap_of_a_part_of_a_whole_body_is_that_of_a_slow_one(part: str) -> None:
    skeleton = load_skeleton("coco_wholebody")
    rng = np.random.default_rng(5)
    people, off = some(rng, 133, 3)
    made = annotated([[person(p, area=20000) for p in here] for here in people], skeleton=skeleton)
    found = [
        (np.stack(here) + rng.normal(0, 0.3, (2, 133, 2)) * off[key][:, None, None])
        for key, here in enumerate(people)
    ]
    scores = rng.random((3, 2)).astype(np.float32)

    def answers(columns: Any) -> list[Row]:
        return [
            row
            for key in range(3)
            for row in keypoint_answers(key, found[key].astype(np.float32), scores[key], columns)
        ]

    columns = PARTS[part]
    expected = slow_ap(keypoint_ground(made, skeleton, columns), answers(columns))
    assert 0 < expected <= 1
    assert part_figures(made, skeleton, answers)[part]["ap"] == pytest.approx(expected)
