"""Formats of other tools: round trips keep boxes and keypoints, broken files are one clear line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from datasets import sets
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets import convert
from posetrack.datasets.coco import CocoFile
from posetrack.datasets.stores import Stores
from posetrack.errors import ConfigError, SinkError

SIZE = (160, 120)
PNG = cv2.imencode(".png", np.zeros((SIZE[1], SIZE[0], 3), np.uint8))[1].tobytes()
coordinate = st.floats(0, 119, allow_nan=False, width=32).map(lambda value: round(value, 3))
keypoint = st.tuples(coordinate, coordinate, st.sampled_from([1, 2])) | st.just((0.0, 0.0, 0))


@st.composite
def sound_sets(draw: Callable[..., Any]) -> CocoFile:
    """Up to three pictures of people and balls."""
    rows: list[dict[str, Any]] = []
    names = [f"{i}.png" if i else "deep/0.png" for i in range(draw(st.integers(1, 3)))]
    for i in range(len(names)):
        for _ in range(draw(st.integers(0, 3))):
            x, y = draw(coordinate), draw(coordinate)
            w, h = draw(st.integers(1, 40)), draw(st.integers(1, 40))
            row = {"id": len(rows), "image_id": i, "category_id": 5, "bbox": [x, y, w, h]}
            if draw(st.booleans()):
                points = draw(st.lists(keypoint, min_size=17, max_size=17))
                points[0] = (3.0, 4.0, 2)  # no point at all is the same as no keypoints
                row |= {"category_id": 2, "keypoints": [v for point in points for v in point]}
            rows.append(row)
    images = [
        sets.picture(i, file_name=name, width=SIZE[0], height=SIZE[1])
        for i, name in enumerate(names)
    ]
    categories = [{"id": 2, "name": "person", "keypoints": list(sets.COCO.keypoints)}]
    return sets.document(rows, images, [*categories, {"id": 5, "name": "ball"}])


def content(file: CocoFile, prefix: str = "") -> dict[str, list[tuple[Any, ...]]]:
    """Category, box and labelled keypoints by picture, in a comparable form."""
    labels = {category["id"]: category["name"] for category in file.categories}
    found: dict[Any, list[tuple[Any, ...]]] = {record["id"]: [] for record in file.images}
    for row in file.annotations:
        flat = row.get("keypoints") or []
        flat = [] if not any(flat[2::3]) else [round(v, 2) for v in flat]
        box = [round(v, 2) for v in row["bbox"]]
        found[row["image_id"]].append((labels[row["category_id"]], box, flat))
    return {
        record["file_name"].removeprefix(prefix): sorted(found[record["id"]])
        for record in file.images
    }


@settings(max_examples=25, deadline=None)
@given(file=sound_sets(), kind=st.sampled_from(["yolo", "labelme"]))
def test_there_and_back_is_the_same(file: CocoFile, kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for record in file.images:
            place = folder / "pictures" / record["file_name"]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(PNG)
        pictures = Stores(file.path, file.images, folder / "pictures")
        convert.write(file, folder / "out", kind, pictures=pictures, force=False)
        assert convert.detect(folder / "out") == kind
        back = convert.read(folder / "out", kind)
        want, got = content(file), content(back, "images/train/")
        assert set(got) == set(want)
        for key, people in want.items():
            assert len(got[key]) == len(people)
            for (label, box, flat), (label2, box2, flat2) in zip(people, got[key], strict=True):
                assert label == label2
                np.testing.assert_allclose(box2, box, atol=0.011)
                np.testing.assert_allclose(flat2, flat, atol=0.011)
        assert all(record["width"] == SIZE[0] for record in back.images)
        if any("keypoints" in row for row in back.annotations):
            assert back.keypoint_names == sets.COCO.keypoints


def yolo(folder: Path, line: str, **changes: Any) -> Path:
    """A set of one picture of 100 x 100 with two keypoints a person."""
    for kind in ("images", "labels"):
        (folder / kind / "train").mkdir(parents=True)
    image = np.zeros((100, 100, 3), np.uint8)
    cv2.imwrite(str(folder / "images" / "train" / "a.png"), image)
    (folder / "labels" / "train" / "a.txt").write_text(line)
    data = {"train": "images/train", "names": ["fish"], "kpt_shape": [2, 3]} | changes
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    return folder


def test_a_yolo_line_is_a_centre_a_size_and_keypoints(tmp_path: Path) -> None:
    file = convert.read(yolo(tmp_path, "0 0.5 0.5 0.2 0.4 0.5 0.4 2 0.1 0.1 0\n"), "yolo")
    (row,) = file.annotations
    assert row["bbox"] == [40, 30, 20, 40]
    assert row["keypoints"] == [50, 40, 2, 0, 0, 0]
    assert file.keypoint_names == ("kpt-0", "kpt-1")
    assert file.images[0]["split"] == "train"


def test_yolo_keypoints_of_two_values_are_visible_unless_zero(tmp_path: Path) -> None:
    folder = yolo(
        tmp_path, "0 0.5 0.5 0.2 0.4 0.5 0.4 0 0", kpt_shape=[2, 2], kpt_names={0: ["l", "r"]}
    )
    file = convert.read(folder, "yolo")
    assert file.annotations[0]["keypoints"] == [50, 40, 2, 0, 0, 0]
    assert file.keypoint_names == ("l", "r")


@pytest.mark.parametrize(
    ("line", "changes", "reason"),
    [
        ("0 1 1 1", {}, "a.txt:1: 4 values, 11 finite ones expected"),
        ("\n0 1 1 1 x", {}, "a.txt:2: could not convert"),
        ("3" + " 0" * 10, {}, "a.txt:1: class 3 is not in data.yaml"),
        ("", {"kpt_shape": [0, 3]}, r"kpt_shape \[0, 3\] must be"),
        ("", {"kpt_names": ["one"]}, "says 2 keypoints, but 1 are named"),
        ("", {"names": None}, "has no class names"),
        ("", {"train": "images/gone"}, "images/gone, which is not there"),
        ("", {"train": None}, "names no pictures"),
    ],
)
def test_yolo_files_that_cannot_be_read(
    tmp_path: Path, line: str, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        convert.read(yolo(tmp_path, line, **changes), "yolo")
    assert "\n" not in str(caught.value)


def test_yolo_gets_flips_parts_and_no_crowds(tmp_path: Path) -> None:
    rows = [sets.person(), sets.person(2, iscrowd=1), sets.person(3, image=2)]
    file = sets.document(rows, [sets.picture(1, split="val"), sets.picture(2)])
    notes = convert.write(file, tmp_path / "y", "yolo", pictures=None, force=False)
    assert notes == ["1 crowd regions left out: YOLO has none"]
    data = yaml.safe_load((tmp_path / "y" / "data.yaml").read_text())
    assert data["flip_idx"] == sets.COCO.flip_order.tolist()
    assert (data["train"], data["val"]) == ("images/train", "images/val")
    assert len((tmp_path / "y/labels/val/1.txt").read_text().splitlines()) == 1


def labelme(path: Path, *shapes: dict[str, Any], **changes: Any) -> Path:
    data = {"shapes": list(shapes), "imagePath": "a.jpg", "imageWidth": 100, "imageHeight": 80}
    path.write_text(json.dumps(data | changes))
    return path


def shape(
    label: str, *points: list[float], group: int | None = None, **more: Any
) -> dict[str, Any]:
    kind = "point" if len(points) == 1 else "rectangle"
    return {"label": label, "points": points, "group_id": group, "shape_type": kind} | more


def test_labelme_groups_are_people_and_loose_points_belong_to_the_box_around(
    tmp_path: Path,
) -> None:
    path = labelme(
        tmp_path / "a.json",
        shape("person", [50, 40], [10, 10], group=3),
        shape("nose", [20, 20], group=3),
        shape("left_eye", [22, 18], flags={"occluded": True}),
        shape("person", [60, 10], [90, 70]),
        shape("nose", [70, 20]),
        shape("nose", [5, 5], group=9),
        {"shape_type": "polygon", "label": "tree", "points": []},
    )
    file = convert.read(path, "labelme")
    assert file.keypoint_names == sets.COCO.keypoints
    first, second, third = file.annotations
    assert first["bbox"] == [10, 10, 40, 30]
    assert first["keypoints"][:6] == [20, 20, 2, 22, 18, 1]
    assert second["keypoints"][:3] == [70, 20, 2]
    assert third["bbox"] == [5, 5, 0, 0]
    assert third["num_keypoints"] == 1


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (
            [
                shape("nose", [1, 2]),
                shape("person", [5, 5], [9, 9]),
                shape("person", [15, 5], [19, 9]),
            ],
            "has no group_id and lies in 0 boxes",
        ),
        ([shape("nose", [1, 2], group=1), shape("nose", [1, 3], group=1)], "two points 'nose'"),
        ([shape("nose", [1])], r"shape 1 \('nose'\) has no 1 point"),
        ([shape("person", [1, 2], [3, 4], [5, 6])], "has no 2 point"),
        (["none"], "'shapes' is no list of objects"),
    ],
)
def test_labelme_files_that_cannot_be_read(tmp_path: Path, shapes: list[Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        convert.read(labelme(tmp_path / "a.json", *shapes), "labelme")
    assert str(tmp_path / "a.json") in str(caught.value)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><job><labels>
 <label><name>fish</name><type>skeleton</type></label>
 <label><name>mouth</name><type>points</type><parent>fish</parent></label>
 <label><name>tail</name><type>points</type><parent>fish</parent></label>
</labels></job></meta>
<image id="0" name="deep/a.jpg" width="100" height="80">
 <skeleton label="fish" group_id="1">
  <points label="tail" outside="0" occluded="1" points="30.5,20.0"/>
  <points label="mouth" outside="0" occluded="0" points="10.0,20.0"/>
 </skeleton>
 <box label="fish" group_id="1" xtl="5" ytl="10" xbr="35" ybr="30"/>
 <skeleton label="fish"><points label="tail" outside="1" occluded="0" points="1,1"/></skeleton>
 <skeleton label="fish"><points label="tail" outside="0" points="50,60"/></skeleton>
 <box label="net" xtl="0" ytl="0" xbr="9" ybr="9"/>
</image></annotations>"""


def test_cvat_skeletons_and_boxes_of_a_group_are_one(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(CVAT)
    assert convert.detect(tmp_path) == "cvat"
    file = convert.read(tmp_path, "cvat")
    assert file.keypoint_names == ("mouth", "tail")
    assert [c["name"] for c in file.categories] == ["fish", "net"]
    first, second, net = file.annotations
    assert first["bbox"] == [5, 10, 30, 20]
    assert first["keypoints"] == [10, 20, 2, 30.5, 20, 1]
    assert second["keypoints"] == [0, 0, 0, 50, 60, 2]
    assert "keypoints" not in net
    assert file.images[0]["file_name"] == "deep/a.jpg"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("</annotations>", "", "is not XML"),
        ("annotations>", "other>", "is not 'CVAT for images 1.1'"),
        ('points="50,60"', 'points="50"', "image 'deep/a.jpg': point 'tail' is no 'x,y'"),
        ('xtl="5"', 'xtl="nan"', "xtl of box is not finite"),
        ('width="100"', "", "image has no number 'width'"),
        ("<annotations>", "<!DOCTYPE a><annotations>", "declares a document type"),
    ],
)
def test_cvat_files_that_cannot_be_read(tmp_path: Path, old: str, new: str, reason: str) -> None:
    (tmp_path / "a.xml").write_text(CVAT.replace(old, new))
    with pytest.raises(ConfigError, match=reason):
        convert.read(tmp_path / "a.xml", "cvat")


def test_nothing_is_overwritten_and_nothing_leaves_the_folder(tmp_path: Path) -> None:
    file = sets.document([sets.person()])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(SinkError, match="is not empty"):
        convert.write(file, tmp_path / "full", "yolo", pictures=None, force=False)
    for name in ("../a.png", "/a.png", "c:/a.png"):
        outside = sets.document([sets.person()], [sets.picture(file_name=name)])
        with pytest.raises(ConfigError, match="name it inside one folder"):
            convert.write(outside, tmp_path / "y", "labelme", pictures=None, force=False)


def test_sets_that_cannot_be_written_say_why(tmp_path: Path) -> None:
    broken = sets.document([sets.person(bbox=[1, 2, 3])])
    with pytest.raises(
        ConfigError, match=r"1.png #1: bbox \[1, 2, 3\] \(bad-box\): see `posetrack"
    ):
        convert.write(broken, tmp_path / "y", "yolo", pictures=None, force=False)
    images = [sets.picture(1, file_name="a.png"), sets.picture(2, file_name="a.jpg")]
    with pytest.raises(ConfigError, match=r"a.png and a.jpg would share one label file"):
        convert.write(sets.document([], images), tmp_path / "y", "yolo", pictures=None, force=False)
    assert not (tmp_path / "y").exists()


def test_formats_that_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(
        ConfigError, match=r"cannot tell the format of .*a.txt: say it, --from coco"
    ):
        convert.detect(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="no format 'voc' to read"):
        convert.read(tmp_path / "a.txt", "voc")
    with pytest.raises(ConfigError, match="no format 'cvat' to write"):
        convert.write(sets.document([]), tmp_path / "x", "cvat", pictures=None, force=False)
