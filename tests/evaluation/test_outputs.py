"""Tables, files and pictures of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation.people import COCO, Heart, Seer, annotated, person, standing
from rich.console import Console

from posetrack.evaluation import facts, plots, sheets
from posetrack.evaluation.detection import Class, evaluate_detection
from posetrack.evaluation.keypoints import Errors
from posetrack.evaluation.pose import evaluate_pose
from posetrack.evaluation.tables import figure_table


def shown(table: object) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_tables_leave_out_what_nobody_knows() -> None:
    columns = (("a", "A", "percent"), ("b", "B", "number"), ("c", "C", "count"))
    text = shown(figure_table("t", {"x": {"a": 0.5, "b": None}, "y": {"c": 3.0}}, columns))
    assert "50.0" in text
    assert "B" not in text
    assert text.count("-") == 2


def test_a_file_has_no_infinite_numbers_and_no_place_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.json"
    content = {"a": [1 / 3, np.float64("inf")], "b": {"c": None}}
    said = facts.facts("posetrack", ["evaluate", "/some/where/val.json", "--nme=a,b"])
    facts.write_json(path, content | said)
    read = json.loads(path.read_text())
    assert read["a"] == [0.33333, None]
    assert read["command"] == "posetrack evaluate val.json --nme=a,b"
    assert read["versions"]["python"]


def test_plots_are_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = standing(rng)
    known = {0: [points]}
    people = evaluate_pose(annotated([[person(points)]]), Heart(known, lambda _: 3, COCO)).people
    errors = Errors.of(people, points[None] + 4, COCO)
    plots.precision_recall(
        np.linspace(1, 0, 1010).reshape(10, 101), tmp_path / "p.png", title="t", similarity="OKS"
    )
    plots.keypoint_bars(errors, COCO, tmp_path / "k.png", title="t")
    for name in ("p.png", "k.png"):
        picture = cv2.imread(str(tmp_path / name))
        assert picture is not None
        assert picture.std() > 10


def test_the_worst_people_come_first(tmp_path: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(0)
    known = {key: [standing(rng)] for key in range(3)}
    data = annotated([[person(known[key][0])] for key in known])
    found = evaluate_pose(data, Heart(known, lambda key: [0.0, 40.0, 8.0][key], COCO))
    assert sheets.worst_poses(found, tmp_path / "one.png", most=1) == 1
    assert sheets.worst_poses(found, tmp_path / "w.png") == 3
    sheet = cv2.imread(str(tmp_path / "w.png"))
    assert sheet is not None
    assert sheet.shape == (304, 3 * 244, 3)
    first, _, last = (sheet[:270, i * 244 : i * 244 + 240] for i in range(3))
    # White truth and orange answer lie apart where the error is large, over each other where not.
    white = [int((tile > 230).all(axis=2).sum()) for tile in (first, last)]
    orange = np.abs(first.astype(int) - sheets.FOUND).max(axis=2) < 40
    assert orange.sum() > 50
    assert white[0] > 2 * white[1]


def test_exchanged_sides_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(0)
    mirrored, right = standing(rng), standing(rng)
    known = {0: [mirrored[COCO.flip_order]], 1: [right]}
    data = annotated([[person(mirrored)], [person(right)]])
    found = evaluate_pose(data, Heart(known, lambda _: 0.0, COCO))
    said: list[str] = []
    monkeypatch.setattr(sheets, "_text", lambda tile, text, place: said.append(text))
    sheets.worst_poses(found, tmp_path / "w.png")
    first, second = (text for text in said if "OKS" in text)
    assert first.endswith("sides exchanged 1.00")
    assert second == "OKS 1.00"


def test_pictures_without_mistakes_are_not_on_the_sheet(tmp_path: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    box = {"bbox": [10, 10, 100, 100]}
    data = annotated([[box], [box]])
    seer = Seer({0: ([[10, 10, 110, 110]], [0.9], [0])})
    found = evaluate_detection(data, seer, [Class("person", 0, 1)], threshold=0.5)
    assert sheets.worst_pictures(data, found, 0.5, tmp_path / "w.png") == 1
    assert sheets.worst_pictures(data, found, 0.95, tmp_path / "both.png") == 2
    sheet = cv2.imread(str(tmp_path / "both.png"))
    assert sheet is not None
    assert sheet.shape[1] == 2 * 364
