"""`posetrack evaluate` as a command line, with models of constant answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli.conftest import Models, Outcome
from fakes import COCO, LAYOUT

pytest.importorskip("faster_coco_eval")
Command = Callable[..., Outcome]
BOX = np.array([70, 40, 190, 200], float)


def write_data(folder: Path, *, away: int = 0) -> Path:
    """Two pictures with the person whom the constant models see, `away` px to the right of it."""
    points = BOX[:2] + LAYOUT * (BOX[2:] - BOX[:2]) + [away, 0]
    flat = np.column_stack([points, np.full(17, 2)]).ravel().tolist()
    x, y, right, bottom = np.add(BOX, [away, 0, away, 0])
    row = {"category_id": 1, "bbox": [x, y, right - x, bottom - y], "area": 9000.0}
    rows = [row | {"id": i, "image_id": i, "keypoints": flat, "iscrowd": 0} for i in (1, 2)]
    images = [
        {"id": i, "file_name": f"{i}.png", "width": 320, "height": 320, "source": "ab"[i - 1]}
        for i in (1, 2)
    ]
    for i in (1, 2):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((320, 320, 3), 60, np.uint8))
    category = {"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}
    path = folder / "val.json"
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": [category]}))
    return path


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def test_poses_in_true_boxes(command: Command, models: Models, tmp_path: Path) -> None:
    data = write_data(tmp_path, away=100)
    done = command(
        "evaluate", "pose", data, "--pose", models.pose, "--json", "r.json", "--plots", "plots"
    )
    assert done.status == 0, done.err
    assert "tiny-pose in the true boxes of val.json" in done.out
    result = read(tmp_path / "r.json")
    assert list(result["figures"]) == ["all", "a", "b"]
    digest = hashlib.sha256((models.pose / "model.onnx").read_bytes()).hexdigest()
    assert result["models"]["pose"]["sha256"] == digest
    assert result["data"]["name"] == "val.json"
    # The answer follows the box: where the person is does not matter.
    assert result["figures"]["all"]["pck@0.1"] > 0.9
    assert set(result["keypoints"]) == set(COCO.keypoints)
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {
        "precision.png",
        "keypoints.png",
        "worst.png",
    }


@pytest.mark.parametrize(("away", "recall"), [(0, 1.0), (100, 0.0)])
def test_boxes(command: Command, models: Models, tmp_path: Path, away: int, recall: float) -> None:
    data = write_data(tmp_path, away=away)
    done = command("evaluate", "detection", data, "--det", models.det, "--json", "r.json")
    assert done.status == 0, done.err
    figures = read(tmp_path / "r.json")["figures"]["all"]
    assert figures["card_recall"] == recall
    assert figures["ap"] == pytest.approx(recall)
    assert figures["card_false_per_image"] == 1 - recall


@pytest.mark.parametrize(("away", "found"), [(0, 1.0), (100, 0.0)])
def test_both(command: Command, models: Models, tmp_path: Path, away: int, found: float) -> None:
    data = write_data(tmp_path, away=away)
    done = command("evaluate", "pipeline", data, *models.flags, "--json", "r.json")
    assert done.status == 0, done.err
    result = read(tmp_path / "r.json")
    assert result["figures"]["all"]["found"] == found
    assert (result["figures"]["all"]["pck@0.1"] > 0.9) == bool(found)
    assert (result["figures"]["all"]["ap50"] > 0.9) == bool(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.json",), "no annotations at none.json"),
        (("val.json", "--nme", "nose"), "--nme nose: give two keypoints of coco"),
        (("val.json", "--nme", "nose,tail"), "--nme nose,tail: give two keypoints of coco"),
    ],
)
def test_errors_are_one_line(
    command: Command, models: Models, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    write_data(tmp_path)
    done = command("evaluate", "pose", *arguments, "--pose", models.pose)
    assert done.status == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_pictures_that_are_nowhere_are_asked_for(command: Command, tmp_path: Path) -> None:
    data = write_data(tmp_path)
    for picture in tmp_path.glob("*.png"):
        picture.unlink()
    done = command("evaluate", "pose", data)
    assert done.status == 2
    assert "name their folder or uncompressed tar as images" in done.err
