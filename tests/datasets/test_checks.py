"""Each fault is found, named once, and sound sets have none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from datasets import sets
from training import drawn

from posetrack.datasets.checks.check import check
from posetrack.datasets.checks.report import KINDS, Report
from posetrack.datasets.coco import CocoFile
from posetrack.datasets.names import named_pairs, other_side, skeleton_of
from posetrack.datasets.stores import Stores
from posetrack.errors import ConfigError
from posetrack.skeletons import Skeleton


def found(file: CocoFile, skeleton: Skeleton | None = sets.COCO) -> dict[str, int]:
    """Counts by kind, pictures left out."""
    report = check(file, Stores(file.path, file.images), skeleton)
    groups = {kind: len(findings) for kind, findings in report.groups()}
    groups.pop("unchecked-pictures", None)
    return groups


def test_a_sound_set_has_no_findings(tmp_path: Path) -> None:
    file = CocoFile.read(drawn.write_set(tmp_path, 4))
    report = check(file, Stores(file.path, file.images), sets.COCO)
    assert (report.pictures, report.people, report.findings) == (4, 4, [])


def moved(place: int, *values: float) -> list[float]:
    """The sound keypoints with one of them changed."""
    flat = list(sets.person()["keypoints"])
    flat[3 * place : 3 * place + len(values)] = values
    return flat


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("bad-box", {"bbox": [1, 2, 3]}),
        ("bad-box", {"bbox": [1, 2, 3, math.nan]}),
        ("bad-box", {"bbox": None}),
        ("empty-box", {"bbox": [80, 80, 0, 5], "keypoints": [], "num_keypoints": 0, "area": 1}),
        ("box-outside", {"bbox": [161, 9, 9, 9], "keypoints": [], "num_keypoints": 0, "area": 1}),
        ("box-over-edge", {"bbox": [45.0, 15.0, 120.0, 130.0]}),
        ("bad-area", {"area": 0}),
        ("bad-area", {"area": "big"}),
        ("large-area", {"area": 99999}),
        ("keypoint-count", {"keypoints": [1.0] * 50}),
        ("bad-keypoints", {"keypoints": moved(0, math.inf)}),
        ("bad-keypoints", {"keypoints": "none"}),
        ("visibility", {"keypoints": moved(0, 80, 32, 3)}),
        ("keypoint-outside", {"bbox": [1, 1, 158, 158], "keypoints": moved(0, -30, 32, 2)}),
        ("hidden-coordinates", {"keypoints": moved(0, 80, 32, 0), "num_keypoints": 16}),
        ("num-keypoints", {"num_keypoints": 16}),
        ("unknown-image", {"image_id": 7}),
        ("unknown-category", {"category_id": 7}),
    ],
)
def test_one_fault_is_one_finding(kind: str, fields: dict[str, Any]) -> None:
    rows = [sets.person(), sets.person(2, bbox=[44, 14, 71, 131]) | fields]
    faults = found(sets.document(rows))
    assert faults == {kind: 1}


def test_keypoints_are_far_from_their_box_in_shares_of_it() -> None:
    near = sets.person(bbox=[45, 15, 70, 130], keypoints=moved(0, 155, 32, 2))
    assert found(sets.document([near])) == {}
    far = sets.person(bbox=[5, 15, 40, 60], area=99)
    assert found(sets.document([far])) == {"keypoint-far": 1}


def test_ids_pictures_and_people_that_are_there_twice() -> None:
    images = [
        sets.picture(1),
        sets.picture(1, file_name="b.png"),
        sets.picture(3, file_name="b.png"),
    ]
    rows = [sets.person(1), sets.person(1, bbox=[44, 14, 71, 131]), sets.person(2)]
    expected = {
        "duplicate-image-id": 1,
        "duplicate-file": 1,
        "duplicate-id": 1,
        "doubled-person": 1,
    }
    assert found(sets.document(rows, images)) == expected


def test_records_without_name_or_size() -> None:
    images = [sets.picture(), {"id": 2, "width": 0, "height": 5, "file_name": "b"}, {"id": 3}]
    assert found(sets.document([sets.person()], images)) == {"incomplete-image": 2}
    assert found(sets.document([])) == {"empty-set": 1}


def test_boxes_of_many_classes_are_no_fault() -> None:
    categories = [
        {"id": 1, "name": "person", "keypoints": list(sets.COCO.keypoints)},
        {"id": 2, "name": "ball"},
    ]
    ball = {"id": 2, "image_id": 1, "category_id": 2, "bbox": [5, 5, 9, 9]}
    assert found(sets.document([sets.person(), ball], categories=categories)) == {}
    assert found(sets.document([sets.person(), ball], categories=categories[::-1])) == {
        "late-keypoints": 1
    }


def test_names_sigmas_and_pairs_of_the_skeleton() -> None:
    own = Skeleton("own", ("nose", "left_eye", "right_eye", "tail"))
    faults = found(sets.document([sets.person()]), own)
    assert faults == {
        "unmapped-names": 1,
        "unlabelled-keypoints": 1,
        "no-sigmas": 1,
        "no-flip-pairs": 1,
    }
    assert found(sets.document([sets.person()]), Skeleton("other", ("tail",))) == {
        "no-mapped-name": 1
    }


def test_pictures_missing_broken_turned_cut_and_of_another_size(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    # An EXIF block with one entry: orientation 6, turned by 90 degrees.
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" + bytes(6)
    exif = b"Exif\x00\x00" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    files = {"1.png": jpeg, "2.png": b"no picture", "3.png": turned, "4.png": jpeg[:-2]}
    drawn.write_tar(tmp_path / "set.tar", files | {"5.png": jpeg})
    images = [sets.picture(i, width=60, height=40) for i in range(1, 7)]
    images[4]["width"] = 50
    file = CocoFile.read(sets.write(tmp_path / "set.json", sets.document([], images)))
    report = check(file, Stores(file.path, file.images), None)
    where = {kind: [f.picture for f in group] for kind, group in report.groups()}
    assert where == {
        "empty-set": [""],
        "missing-picture": ["6.png"],
        "unreadable-picture": ["2.png"],
        "rotated-picture": ["3.png"],
        "cut-picture": ["4.png"],
        "wrong-size": ["5.png"],
    }
    assert "record 50 x 40, picture 60 x 40" in str(report.groups())


def test_pictures_are_found_where_the_records_or_the_name_say(tmp_path: Path) -> None:
    drawn.write_set(tmp_path / "deep", 1)
    record = sets.picture(1, file_name="000.png", tar="deep/people.tar")
    file = CocoFile.read(sets.write(tmp_path / "set.json", sets.document([], [record])))
    store = Stores(file.path, file.images).store(record)
    assert store is not None
    assert "000.png" in store
    beside = CocoFile.read(tmp_path / "deep" / "people.json")
    assert Stores(beside.path, beside.images).known
    (tmp_path / "deep" / "people.tar").unlink()
    assert not Stores(beside.path, beside.images).known
    report = check(beside, Stores(beside.path, beside.images), None)
    assert [finding.kind for finding in report.findings] == ["unchecked-pictures"]


def test_sides_in_names() -> None:
    assert [other_side(n) for n in ("left_eye", "R_Hip", "eye.l", "Nose", "kneeRight")] == [
        "right_eye",
        "L_Hip",
        "eye.r",
        None,
        "kneeLeft",
    ]
    assert named_pairs(("right_eye", "nose", "left_eye", "L_Hip")) == ((2, 0),)


def test_the_skeleton_of_a_set_is_known_by_its_names_or_made_of_them() -> None:
    assert skeleton_of(sets.document([])) is sets.COCO
    own = [{"id": 1, "name": "fish", "keypoints": ["r_fin", "l_fin"], "skeleton": [[1, 2], [2, 9]]}]
    made = skeleton_of(sets.document([], categories=own))
    assert made is not None
    assert (made.name, made.flip_pairs, made.limbs) == ("fish", ((1, 0),), ((0, 1),))
    assert skeleton_of(sets.document([], categories=[{"id": 1}])) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not a COCO annotation file: "),
        ("[]", "it holds no object"),
        ("{}", "no 'images'"),
        ('{"images": 3}', "'images' is no list"),
        ('{"images": [3]}', "images[0] is no object"),
        ('{"images": [], "annotations": [], "categories": [{"keypoints": 3}]}', "no list of names"),
    ],
)
def test_files_that_are_no_annotations(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        CocoFile.read(tmp_path / "a.json")
    assert reason in str(caught.value)


def test_shares_count_people_once_and_errors_come_first() -> None:
    report = Report(pictures=4, people=10)
    report.add("num-keypoints", "a", picture="1", annotation=1, row=0)
    report.add("bad-box", "b", picture="1", annotation=1, row=0)
    report.add("bad-box", "c", picture="1", annotation=1, row=0)
    assert [kind for kind, _ in report.groups()] == ["bad-box", "num-keypoints"]
    assert report.share(*report.groups()[0]) == 0.1
    assert (report.count("error"), report.count("warning")) == (2, 1)
    assert {kind.severity for kind in KINDS.values()} == {"error", "warning"}
