"""MPII, WFLW, LaPa as their makers write them, and hands and faces out of whole bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from posetrack.cli.dataset import app
from posetrack.datasets import convert
from posetrack.datasets.annotations import Annotations
from posetrack.datasets.coco import CocoFile
from posetrack.datasets.parts import part_of
from posetrack.errors import ConfigError
from posetrack.evaluation.heads import head_sizes
from posetrack.skeletons import load_skeleton


def picture(path: Path, size: tuple[int, int] = (90, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((size[1], size[0], 3), np.uint8))


def mpii(folder: Path, **changes: Any) -> Path:
    """Two people of one picture, as MPII counts: from 1."""
    picture(folder / "images" / "a.jpg")
    joints = [[10.0 + i, 20.0 + 2 * i] for i in range(16)]
    row = {"image": "a.jpg", "center": [31.0, 41.0], "scale": 0.2, "joints": joints}
    row |= {"joints_vis": [0] + [1] * 15} | changes
    path = folder / "annotations" / "mpii_val.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([row, row | {"scale": 0.1}]))
    return path


def test_mpii_is_counted_from_nought_with_its_boxes_and_heads(tmp_path: Path) -> None:
    path = mpii(tmp_path)
    heads = np.array([[[11, 21], [41, 61]], [[1, 1], [4, 5]]], float)  # person, corner, x and y
    savemat(path.with_name("mpii_gt_val.mat"), {"headboxes_src": heads.transpose(1, 2, 0)})
    assert convert.detect(path) == "mpii"
    file = convert.read(path, "mpii")
    assert file.images == [{"id": 1, "file_name": "a.jpg", "width": 90, "height": 60}]
    first, second = file.annotations
    assert first["keypoints"][:6] == [0, 0, 0, 10, 21, 2]
    assert first["bbox"] == pytest.approx([30 - 20, 40 + 3 - 20, 40, 40])
    assert second["bbox"][2] == pytest.approx(20)
    assert first["head_box"] == [10, 20, 30, 40]
    out = tmp_path / "coco.json"
    out.write_text(json.dumps(file.to_dict()))
    read = Annotations.read(out, tmp_path / "images")
    people = list(read.people(load_skeleton("mpii")))
    np.testing.assert_allclose(
        head_sizes(people, load_skeleton("mpii")), [0.6 * 50, 0.6 * 5], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"joints": [[1, 2]]}, r"person 0 is not MPII's: \(1, 2\) joints and \(16,\) marks, 16"),
        ({"scale": None}, "person 0 is not MPII's: "),
        ({"image": "gone.jpg"}, "gone.jpg is missing or unreadable"),
    ],
)
def test_mpii_files_that_cannot_be_read(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        convert.read(mpii(tmp_path, **changes), "mpii")


def test_heads_of_another_part_are_refused(tmp_path: Path) -> None:
    path = mpii(tmp_path)
    savemat(path.with_name("mpii_gt_val.mat"), {"headboxes_src": np.zeros((2, 2, 5))})
    with pytest.raises(ConfigError, match=r"has heads \(2, 2, 5\), .*mpii_val.json 2 people"):
        convert.read(path, "mpii")


def wflw(folder: Path, *, words: int = 207) -> Path:
    picture(folder / "WFLW_images" / "deep" / "a.jpg")
    numbers = [str(i / 2) for i in range(196)] + [
        "5",
        "6",
        "55",
        "46",
        "0",
        "1",
        "0",
        "0",
        "1",
        "0",
    ]
    lists = folder / "WFLW_annotations" / "lists"
    lists.mkdir(parents=True)
    path = lists / "list_98pt_rect_attr_test.txt"
    path.write_text(" ".join([*numbers, "deep/a.jpg"][-words:]) + "\n")
    return path


def test_a_line_of_wflw_is_a_face(tmp_path: Path) -> None:
    file = convert.read(wflw(tmp_path), "wflw")
    (row,) = file.annotations
    assert file.keypoint_names == load_skeleton("wflw").keypoints
    assert row["bbox"] == [5, 6, 50, 40]
    assert row["keypoints"][3:6] == [1, 1.5, 2]
    assert row["attributes"] == ["expression", "occlusion"]
    assert file.images[0]["width"] == 90


def test_a_short_line_of_wflw_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rect_attr_test.txt:1: 206 words, 207 expected"):
        convert.read(wflw(tmp_path, words=206), "wflw")


def lapa(folder: Path, count: int = 106) -> Path:
    picture(folder / "train" / "images" / "1_0.jpg")
    (folder / "train" / "landmarks").mkdir()
    lines = [str(count), *(f"{i}.5 {i / 2}" for i in range(count))]
    (folder / "train" / "landmarks" / "1_0.txt").write_text("\n".join(lines) + "\n")
    return folder / "train"


def test_a_file_of_lapa_is_a_face(tmp_path: Path) -> None:
    folder = lapa(tmp_path)
    assert convert.detect(folder) == "lapa"
    file = convert.read(folder, "lapa")
    (row,) = file.annotations
    assert file.images[0]["file_name"] == "1_0.jpg"
    assert row["bbox"] == [0.5, 0, 105, 52.5]
    assert row["keypoints"][-3:] == [105.5, 52.5, 2]


def test_faces_of_other_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"1_0.txt: 68 points, 106 of x and y expected"):
        convert.read(lapa(tmp_path, 68), "lapa")
    with pytest.raises(ConfigError, match="the keypoints of lapa, wflw was asked"):
        convert.read(tmp_path / "train", "lapa", "wflw")


def whole_body(**more: Any) -> dict[str, Any]:
    """COCO-WholeBody's annotation: the left hand and the face are valid."""
    hand = [v for i in range(21) for v in (100 + i, 50, 0.5 + i % 2 / 2)]
    face = [v for i in range(68) for v in (20 + i % 9, 10 + i, 1)]
    row: dict[str, Any] = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 200, 200], "iscrowd": 0}
    row |= {"keypoints": [0] * 51, "lefthand_kpts": hand, "lefthand_valid": True}
    row |= {"lefthand_box": [98, 40, 30, 20], "righthand_kpts": hand, "righthand_valid": False}
    return row | {"face_kpts": face, "face_valid": True, "face_box": [0, 0, 0, 0]} | more


def halpe() -> dict[str, Any]:
    """Halpe's: 136 keypoints in one list, point i at (i, 2 i)."""
    flat = [v for i in range(136) for v in (i, 2 * i, int(i < 115))]
    return {"image_id": 1, "category_id": 1, "bbox": [0, 0, 200, 200], "keypoints": flat}


def document(*rows: dict[str, Any]) -> CocoFile:
    images = [{"id": 1, "file_name": "a.jpg", "width": 300, "height": 300}]
    return CocoFile(Path("bodies.json"), images, list(rows), [{"id": 1, "name": "person"}])


def test_valid_hands_of_coco_wholebody_are_annotations_of_their_own() -> None:
    file = part_of(document(whole_body(), whole_body(iscrowd=1)), "hand")
    (row,) = file.annotations
    assert row["bbox"] == [98, 40, 30, 20]
    assert file.keypoint_names == load_skeleton("coco_wholebody_hand").keypoints
    assert row["keypoints"][3:6] == [101, 50, 1]
    assert file.categories[0]["name"] == "hand"


def test_a_part_without_a_box_has_that_of_its_keypoints() -> None:
    (face,) = part_of(document(whole_body()), "face").annotations
    assert face["bbox"] == [20, 10, 8, 67]
    assert face["num_keypoints"] == 68


def test_hands_and_faces_of_halpe_are_found_by_their_place() -> None:
    names = load_skeleton("halpe").keypoints
    (hand,) = part_of(document(halpe()), "hand").annotations  # the right one is not annotated
    start = names.index("left_thumb1") - 1
    assert hand["keypoints"][:3] == [start, 2 * start, 1]
    assert hand["bbox"] == [start, 2 * start, 20, 40]
    (face,) = part_of(document(halpe()), "face").annotations
    assert face["keypoints"][0] == names.index("face-0")


def test_bodies_without_the_part_are_refused() -> None:
    row = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "keypoints": [1.0] * 51}
    with pytest.raises(ConfigError, match="has no hand of COCO-WholeBody"):
        part_of(document(row), "hand")
    with pytest.raises(ConfigError, match="no part 'foot' of a body: choose of hand, face"):
        part_of(document(halpe()), "foot")


@pytest.mark.parametrize("make", [whole_body, halpe])
def test_the_command_writes_hands_that_a_training_reads(
    tmp_path: Path, make: Callable[[], dict[str, Any]]
) -> None:
    picture(tmp_path / "a.jpg", (300, 300))
    (tmp_path / "bodies.json").write_text(json.dumps(document(make()).to_dict()))
    where = [str(tmp_path / name) for name in ("bodies.json", "hands.json")]
    result = CliRunner().invoke(app, ["convert", *where, "--part", "hand"])
    assert "1 pictures, 1 annotations" in result.output, result.output
    read = Annotations.read(tmp_path / "hands.json", tmp_path)
    (hand,) = read.people(load_skeleton("coco_wholebody_hand"))
    assert hand.weights.sum() == 21
