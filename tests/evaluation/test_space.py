"""MPJPE and PA-MPJPE, and H3WB's files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from posetrack.datasets import convert
from posetrack.datasets.annotations import Annotations
from posetrack.datasets.coco import write_json
from posetrack.errors import ConfigError
from posetrack.evaluation.pose import evaluate_pose
from posetrack.evaluation.space import mpjpe, pa_mpjpe
from posetrack.skeletons import load_skeleton
from posetrack.types import Poses

WHOLE = load_skeleton("coco_wholebody")
FX, FY, CX, CY = 1145.0, 1144.0, 512.0, 515.0


def h3wb(folder: Path, count: int = 2) -> tuple[Path, np.ndarray]:
    """A file as H3WB's, its pictures, and the people in metres."""
    rng = np.random.default_rng(0)
    space = rng.normal(size=(count, 133, 3)) * 0.4 + (0.1, -0.2, 5.2)
    samples = {}
    folder.mkdir(exist_ok=True)
    for i, points in enumerate(space):
        flat = points[:, :2] / points[:, 2:] * (FX, FY) + (CX, CY)
        cv2.imwrite(str(folder / f"{i}.png"), np.zeros((1002, 1000, 3), np.uint8))
        low, high = flat.min(axis=0), flat.max(axis=0)
        samples[str(i)] = {
            "image_path": f"{i}.png",
            "bbox": dict(zip(("x_min", "y_min", "x_max", "y_max"), [*low, *high], strict=True)),
            "keypoints_2d": {str(k): {"x": x, "y": y} for k, (x, y) in enumerate(flat)},
            "keypoints_3d": {
                str(k): dict(zip("xyz", 1000 * p, strict=True)) for k, p in enumerate(points)
            },
        }
    path = folder / "train.json"
    path.write_text(json.dumps(samples))
    return path, space


class _Oracle:
    """Answers with the truth, changed as told."""

    skeleton = WHOLE

    def __init__(self, space: np.ndarray, *, wrong: float = 0.0) -> None:
        self.space, self.wrong, self.at = space, wrong, 0

    def __call__(self, image, boxes, *, box_scores=None) -> Poses:
        points, self.at = self.space[self.at], self.at + 1
        flat = points[:, :2] / points[:, 2:] * (FX, FY) + (CX, CY)
        z = points[:, 2] - points[[11, 12], 2].mean()
        z = np.where(np.isin(np.arange(133), (11, 12)), z, z + self.wrong)
        return Poses(flat[None], np.ones((1, 133)), boxes, np.ones(1), WHOLE, z[None])


def _converted(path: Path) -> Annotations:
    assert convert.detect(path) == "h3wb"
    document = convert.read(path, "h3wb")
    write_json(path.parent / "coco.json", document.to_dict(), force=True)
    return Annotations.read(path.parent / "coco.json")


def test_a_file_of_h3wb_becomes_people_in_metres(tmp_path: Path) -> None:
    path, space = h3wb(tmp_path / "h3wb")
    people = list(_converted(path).people(WHOLE))
    assert len(people) == 2
    np.testing.assert_allclose(people[1].space, space[1], atol=1e-4)
    assert (people[0].weights == 1).all()


def test_the_truth_has_no_error_and_its_camera_is_found(tmp_path: Path) -> None:
    path, space = h3wb(tmp_path / "h3wb")
    figures = evaluate_pose(_converted(path), _Oracle(space)).figures["all"]
    assert figures["mpjpe_mm"] == pytest.approx(0, abs=0.5)
    assert figures["pa_mpjpe_mm"] == pytest.approx(0, abs=0.5)
    assert figures["people in space"] == 2


def test_depths_that_are_off_are_measured(tmp_path: Path) -> None:
    path, space = h3wb(tmp_path / "h3wb")
    figures = evaluate_pose(_converted(path), _Oracle(space, wrong=0.1)).figures["all"]
    assert 95 < figures["mpjpe_mm"] < 110, "100 mm along the axis, and what that moves across it"
    assert figures["pa_mpjpe_mm"] < 20


def test_pa_mpjpe_sees_neither_turn_nor_size_nor_place_but_a_mirror_image() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(20, 3)).astype(np.float32)
    known = np.ones(20, np.bool_)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = (1.7 * truth @ turn + (3, -2, 9)).astype(np.float32)
    assert pa_mpjpe(moved, truth, known) == pytest.approx(0, abs=1e-5)
    assert mpjpe(moved, truth, known, (0,)) > 0.5
    assert mpjpe(truth + 4, truth, known, (0, 1)) == pytest.approx(0, abs=1e-5)
    assert pa_mpjpe(truth * (-1, 1, 1), truth, known) > 0.3


def test_a_sample_without_one_of_the_two_is_told(tmp_path: Path) -> None:
    path, _ = h3wb(tmp_path / "h3wb")
    data = json.loads(path.read_text())
    del data["1"]["keypoints_3d"]
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=r"train\.json: sample 1 is not H3WB's: no 'keypoints_3d"):
        convert.read(path, "h3wb")
