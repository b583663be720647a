"""Whole evaluations with models that answer by heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation.people import COCO, Heart, Seer, annotated, person, standing, xyxy

from posetrack.cards import Input, ModelCard
from posetrack.errors import ConfigError
from posetrack.evaluation.detection import Class, evaluate_detection, shared_classes
from posetrack.evaluation.pipeline import evaluate_pipeline
from posetrack.evaluation.pose import evaluate_pose

pytest.importorskip("faster_coco_eval")
PEOPLE = [Class("person", 0, 1)]


def card(*labels: str) -> ModelCard:
    shape = Input(size=(64, 64), color="bgr", mean=(0, 0, 0), std=(1, 1, 1))
    return ModelCard(name="c", task="detection", architecture="a", input=shape, labels=labels)


def two_sources() -> tuple[dict[int, list[np.ndarray]], list[dict[str, object]]]:
    rng = np.random.default_rng(0)
    known = {key: [standing(rng)] for key in range(4)}
    fields = [{"source": "ab"[key % 2], "boxes_complete": True} for key in range(4)]
    return known, fields


def test_poses_are_told_by_source() -> None:
    known, fields = two_sources()
    data = annotated([[person(p) for p in known[key]] for key in known], fields=fields)
    found = evaluate_pose(data, Heart(known, lambda key: 500.0 * (key % 2), COCO))
    assert list(found.figures) == ["all", "a", "b"]
    a, b, together = (found.figures[name] for name in ("a", "b", "all"))
    assert a["ap"] == pytest.approx(1)
    assert (b["ap"], b["pck@0.2"]) == (0, 0)
    assert b["oks"] == pytest.approx(0)
    assert b["epe_px"] == pytest.approx(500, rel=1e-4)
    assert together["pck@0.1"] == 0.5
    assert together["ar"] == pytest.approx(0.5)
    assert list(evaluate_pose(data, Heart(known, lambda _: 0, COCO), sources=False).figures) == [
        "all"
    ]


def test_nobody_to_evaluate_on_is_an_error() -> None:
    data = annotated([[person(np.ones((17, 2)) * 50, np.zeros(17))]])
    with pytest.raises(ConfigError, match="holds nobody with annotated keypoints"):
        evaluate_pose(data, Heart({}, lambda _: 0, COCO))


def test_the_pipeline_misses_people_whom_the_detector_misses() -> None:
    known, fields = two_sources()
    rows = {key: [person(p) for p in known[key]] for key in known}
    seer = Seer(
        {
            0: ([xyxy(rows[0][0])], [0.9], [0]),
            1: ([xyxy(rows[1][0])], [0.2], [0]),  # below the threshold
            2: ([xyxy(rows[2][0])], [0.9], [1]),  # another class
        }
    )
    data = annotated([rows[key] for key in known], fields=fields)
    found = evaluate_pipeline(data, seer, Heart(known, lambda _: 0, COCO), threshold=0.5)
    figures = found.figures["all"]
    assert figures["found"] == 0.25
    assert figures["pck@0.1"] == 0.25
    assert figures["pck@0.1 of found"] == 1
    assert figures["ar"] == pytest.approx(0.5), "AP and AR take the weak box as well"
    assert found.figures["b"]["found"] == 0
    assert found.figures["b"]["pck@0.1 of found"] is None


def test_two_boxes_on_one_person_are_one_pose() -> None:
    known, fields = two_sources()
    rows = {key: [person(p) for p in known[key]] for key in known}
    boxes = {key: np.add([xyxy(rows[key][0])] * 2, [[0] * 4, [3] * 4]) for key in known}
    seer = Seer({key: (boxes[key], [0.9, 0.8], [0, 0]) for key in known})
    data = annotated([rows[key] for key in known], fields=fields)
    found = evaluate_pipeline(data, seer, Heart(known, lambda _: 0, COCO), threshold=0.5)
    assert found.figures["all"]["ap"] == pytest.approx(1)
    assert found.figures["all"]["found"] == 1


def test_detections_are_counted_on_completely_boxed_pictures_and_on_all() -> None:
    box, other = {"bbox": [10, 10, 100, 100]}, [200.0, 200, 300, 300]
    fields = [{"boxes_complete": True}, {"pseudo_dets": [[200, 200, 100, 100, 0.5]]}, {}]
    data = annotated([[box], [box], [box]], fields=fields)
    true = [10.0, 10, 110, 110]
    seer = Seer(
        {
            0: ([true, other], [0.9, 0.8], [0, 0]),
            1: ([other, true], [0.95, 0.6], [0, 0]),  # lies in an ignore region
            2: ([other], [0.3], [0]),
        }
    )
    found = evaluate_detection(data, seer, PEOPLE, threshold=0.5)
    complete, every = found.figures["complete"], found.figures["all"]
    assert (complete["images"], complete["boxes"], complete["recall"]) == (1, 1, 1)
    assert every["recall"] == pytest.approx(2 / 3)
    assert every["card_recall"] == pytest.approx(2 / 3)
    assert every["card_false_per_image"] == pytest.approx(1 / 3)
    # True at rank 1, false at 2, true at 3: precision 1 up to recall 1/3, then 2/3 up to 2/3.
    assert every["ap50"] == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert found.classes == {}


def test_classes_do_not_meet() -> None:
    cat, dog = {"bbox": [10, 10, 100, 100], "category_id": 7}, {"bbox": [10, 10, 100, 100]}
    data = annotated([[cat, dog | {"category_id": 8}]], categories={7: "cat", 8: "dog"})
    classes = shared_classes(data, card("dog", "cat", "bird"))
    assert classes == [Class("dog", 0, 8), Class("cat", 1, 7)]
    seer = Seer({0: ([[10, 10, 110, 110]], [0.9], [1])})
    found = evaluate_detection(data, seer, classes, threshold=0.5)
    assert found.classes["cat"]["ap"] == pytest.approx(1)
    assert found.classes["dog"]["ap"] == 0
    assert found.figures["all"]["ap"] == pytest.approx(0.5)
    assert found.figures["all"]["recall"] == 0.5


def test_one_class_and_one_category_are_the_same_whatever_they_are_called() -> None:
    data = annotated([[]], categories={3: "pedestrian"})
    assert shared_classes(data, card("person")) == [Class("person", 0, 3)]
    with pytest.raises(ConfigError, match="annotates pedestrian, c finds cat, dog"):
        shared_classes(data, card("cat", "dog"))
    two = replace(data, categories={1: "person", 2: "car"})
    assert shared_classes(two, card("person")) == [Class("person", 0, 1)]
