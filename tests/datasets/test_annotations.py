"""Data sets that cannot be used are refused in one line before training starts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from training import drawn

from posetrack.datasets.annotations import Annotations
from posetrack.datasets.images import ImageStore
from posetrack.errors import ConfigError, ModelError
from posetrack.skeletons import load_skeleton
from posetrack.training.tasks import make_task

COCO = load_skeleton("coco")


def complaint(root: Path, task: str = "pose", **changes: Any) -> str:
    with pytest.raises((ConfigError, ModelError)) as caught:
        make_task(drawn.recipe(root, task, **changes)).build()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250
    return message.replace(f"{root}/", "")


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_missing_annotation_file(tmp_path: Path) -> None:
    assert complaint(tmp_path) == "no annotations at people.json: check the path"


def test_a_missing_tar(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 1)
    (tmp_path / "people.tar").unlink()
    expected = "no images at people.tar: give a folder or an uncompressed .tar"
    assert complaint(tmp_path) == expected


def test_a_compressed_tar(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 1)
    drawn.write_tar(tmp_path / "people.tar", {"a.png": b"1"}, "w:gz")
    assert complaint(tmp_path).startswith("people.tar is not an uncompressed tar of images")


@pytest.mark.parametrize("task", ["pose", "detection"])
def test_a_missing_picture(tmp_path: Path, task: str) -> None:
    drawn.write_set(tmp_path, 2)
    drawn.write_tar(tmp_path / "people.tar", {"000.png": b"1"})
    assert complaint(tmp_path, task) == "image 001.png is annotated, but not in people.tar"


@pytest.mark.parametrize("task", ["pose", "detection"])
def test_empty_data(tmp_path: Path, task: str) -> None:
    drawn.write_set(tmp_path, 1)
    drawn.write_json(tmp_path / "none.json", [], [])
    none = [{"annotations": "none.json", "images": "people.tar"}]
    what = "person with keypoints" if task == "pose" else "picture"
    for split, name in (("train", "training"), ("val", "validation")):
        assert complaint(tmp_path, task, data={split: none}) == (
            f"small-{task}: the {name} data holds no {what}: check data"
        )


def test_keypoint_names_that_the_skeleton_does_not_know(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path, 1)
    rewrite(path, categories=[{"id": 1, "keypoints": ["paw", "tail"]}])
    assert complaint(tmp_path) == (
        "people.json names no keypoint of skeleton 'coco' (nose, left_eye, right_eye, left_ear, "
        "...) but paw, tail: name them in categories"
    )
    rewrite(path, categories=[{"id": 1}])
    needed = complaint(tmp_path, model={"skeleton": "halpe26"})
    assert "but none: name them in categories" in needed, "several sets have 17 keypoints"


def people(path: Path, skeleton: str) -> list[Any]:
    return list(Annotations.read(path).people(load_skeleton(skeleton)))


def test_a_file_without_names_has_those_of_the_skeleton_or_of_the_only_set_of_that_size(
    tmp_path: Path,
) -> None:
    path = drawn.write_set(tmp_path, 1)
    (named,) = people(path, "coco")
    rewrite(path, categories=[{"id": 1, "name": "person", "keypoints": []}])
    (nameless,) = people(path, "coco")
    np.testing.assert_array_equal(nameless.keypoints, named.keypoints)
    (row,) = json.loads(path.read_text())["annotations"]
    points = [v for i in range(136) for v in (i, 2 * i, int(i % 3 > 0))]  # Halpe's official file
    rewrite(path, annotations=[row | {"keypoints": points, "num_keypoints": 90}])
    (halpe,) = people(path, "halpe26")
    np.testing.assert_array_equal(halpe.keypoints[25], [25, 50])
    assert halpe.weights.sum() == 17
    (toes,) = people(path, "coco_wholebody")
    np.testing.assert_array_equal(toes.keypoints[18], [22, 44], "by name, not by place")


def test_the_official_names_of_a_set_are_known(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path, 1)
    names = "left_eye right_eye nose neck root_of_tail left_shoulder left_elbow left_front_paw"
    others = "right_shoulder right_elbow right_front_paw left_hip left_knee left_back_paw"
    every = f"{names} {others} right_hip right_knee right_back_paw".split()
    rewrite(path, categories=[{"id": 1, "name": "dog", "keypoints": every}])
    (dog,) = people(path, "ap10k")
    (row,) = json.loads(path.read_text())["annotations"]
    np.testing.assert_allclose(
        dog.keypoints, np.reshape(row["keypoints"], (17, 3))[:, :2], rtol=1e-6
    )


def test_keypoints_may_be_grouped_and_areas_may_be_absent(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path, 1)
    (before,) = people(path, "coco")
    (row,) = json.loads(path.read_text())["annotations"]
    del row["area"]
    grouped = np.reshape(row["keypoints"], (17, 3)).tolist()
    rewrite(path, annotations=[row | {"keypoints": grouped}])
    (after,) = people(path, "coco")
    np.testing.assert_array_equal(after.keypoints, before.keypoints)
    assert after.area == pytest.approx(0.53 * row["bbox"][2] * row["bbox"][3])


def test_keypoints_that_are_not_three_numbers_each(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path, 1)
    rows = json.loads(path.read_text())["annotations"]
    rewrite(path, annotations=[rows[0] | {"keypoints": [1.0] * 34}])
    assert complaint(tmp_path) == (
        "people.json: a person in 000.png has 34 numbers as keypoints, 17 names need three each"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "people.json is not a COCO annotation file: "),
        ("[]", "people.json is not a COCO annotation file: "),
        ("{}", "people.json is not a COCO annotation file: no 'categories'"),
        ('{"categories": [{}], "images": [{"id": 1}], "annotations": []}', "no 'file_name'"),
        ('{"categories": [{}], "images": [], "annotations": [{"id": 1}]}', "no 'bbox'"),
        ('{"categories": [{}], "images": 3, "annotations": []}', "not a COCO annotation file"),
    ],
)
def test_files_that_are_no_annotations(tmp_path: Path, text: str, reason: str) -> None:
    drawn.write_set(tmp_path, 1)
    (tmp_path / "people.json").write_text(text)
    assert reason in complaint(tmp_path)


def test_records_that_do_not_say_where_their_picture_is(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 1)
    (tmp_path / "people.tar").rename(tmp_path / "elsewhere.tar")
    source = [{"annotations": "people.json"}]
    assert complaint(tmp_path, data={"train": source}) == (
        "the pictures of people.json are not beside it (000.png is not): "
        "name their folder or uncompressed tar as images"
    )


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    store = ImageStore(drawn.write_tar(tmp_path / "a.tar", {"a.png": b"no picture"}))
    for name in ("a.png", "b.png"):
        with pytest.raises(ConfigError, match=f"image {name} in .*a.tar is missing or unreadable"):
            store.read(name)


def test_pictures_come_from_folders_and_tars_alike(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").write_bytes(data)
    tar = ImageStore(drawn.write_tar(tmp_path / "a.tar", {"other": b"123", "deep/a.png": data}))
    for store in (ImageStore(tmp_path), tar, pickle.loads(pickle.dumps(tar))):
        assert "deep/a.png" in store
        assert "deep/b.png" not in store
        np.testing.assert_array_equal(store.read("deep/a.png"), image)


def test_records_may_name_their_own_tar(tmp_path: Path) -> None:
    drawn.write_set(tmp_path / "one", 1)
    drawn.write_set(tmp_path / "two", 1, seed=1)
    records = [
        {"id": i, "file_name": "000.png", "width": 160, "height": 160, "tar": f"{n}/people.tar"}
        for i, n in enumerate(("one", "two"))
    ]
    rows = [{"id": i, "image_id": i, "bbox": [5, 5, 90, 90]} for i in range(2)]
    drawn.write_json(tmp_path / "both.json", records, rows)
    source = [{"annotations": "both.json"}]
    task: Any = make_task(
        drawn.recipe(tmp_path, "detection", data={"train": source, "val": source})
    )
    first, second = (scene.picture.load() for scene in task.scenes)
    assert (first != second).any()
    task.build()


def test_fields_that_other_tools_leave_out_are_not_needed(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 0, "bbox": [10, 20, 30, 40], "keypoints": [15, 25, 2] * 17}
    none = row | {"id": 2, "keypoints": [0] * 51}
    crowd = row | {"id": 3, "iscrowd": 1}
    elsewhere = row | {"id": 4, "image_id": 9}
    image = {"id": 0, "file_name": "a.png", "width": 100, "height": 100}
    path = drawn.write_json(tmp_path / "a.json", [image], [row, none, crowd, elsewhere])
    (person,) = Annotations.read(path, tmp_path).people(COCO)
    assert person.area == pytest.approx(0.53 * 1200)
    assert person.box.tolist() == [10, 20, 40, 60]
    assert person.picture.source == "a"
    assert person.weights.sum() == 17


def test_keypoints_of_other_names_are_those_of_the_skeleton_that_the_recipe_says(
    tmp_path: Path,
) -> None:
    row = {"id": 1, "image_id": 0, "bbox": [10, 20, 30, 40], "keypoints": [1, 2, 2, 3, 4, 2]}
    image = {"id": 0, "file_name": "a.png", "width": 100, "height": 100}
    path = drawn.write_json(tmp_path / "a.json", [image], [row])
    content = json.loads(path.read_text())
    rewrite(path, categories=[content["categories"][0] | {"keypoints": ["L_Hand", "nose"]}])
    (person,) = Annotations.read(path, tmp_path).people(COCO, rename={"L_Hand": "left_wrist"})
    assert person.keypoints[COCO.keypoints.index("left_wrist")].tolist() == [1, 2]
    assert person.keypoints[COCO.keypoints.index("nose")].tolist() == [3, 4]
    assert person.weights.sum() == 2
    for rename, words in (
        ({"L_Hnd": "left_wrist"}, "a.json has no keypoint 'L_Hnd': did you mean L_Hand?"),
        ({"L_Hand": "left_wrst"}, "skeleton 'coco' has no keypoint 'left_wrst': did you mean left"),
    ):
        with pytest.raises(ConfigError) as caught:
            list(Annotations.read(path, tmp_path).people(COCO, rename=rename))
        assert words in str(caught.value)


def test_whole_bodies_keep_feet_face_and_hands_in_fields_of_their_own(tmp_path: Path) -> None:
    whole = load_skeleton("coco_wholebody")
    row = {"id": 1, "image_id": 0, "bbox": [10, 20, 30, 40], "keypoints": [0, 0, 0] * 17}
    parts = {"foot_kpts": [11, 21, 2] * 6, "lefthand_kpts": [12, 22, 1] * 21}
    hidden = {"righthand_kpts": [13, 23, 1] * 21, "righthand_valid": False}
    rows = [row | parts | hidden | {"num_keypoints": 0}, row | {"id": 2}]
    image = {"id": 0, "file_name": "a.png", "width": 100, "height": 100}
    path = drawn.write_json(tmp_path / "a.json", [image], rows)
    (person,) = Annotations.read(path, tmp_path).people(whole)  # the other has no keypoint

    assert np.flatnonzero(person.weights).tolist() == [*range(17, 23), *range(91, 112)]
    assert person.keypoints[91].tolist() == [12, 22]
    rows[0]["foot_kpts"] = [11, 21, 2]
    drawn.write_json(path, [image], rows)
    with pytest.raises(ConfigError, match="foot_kpts has 3 numbers, it needs 18"):
        Annotations.read(path, tmp_path)
