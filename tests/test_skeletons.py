"""Keypoint sets: the built-in ones hold together, a user's own is read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posetrack.errors import ConfigError
from posetrack.skeletons import DEFAULT_SIGMA, Skeleton, load_skeleton, skeleton_names


@pytest.mark.parametrize("name", skeleton_names())
def test_every_built_in_set_holds_together(name: str) -> None:
    skeleton = load_skeleton(name)
    k = len(skeleton)
    assert len(set(skeleton.keypoints)) == k
    assert len(skeleton.sigmas) == len(skeleton.weights) == k
    assert min(skeleton.sigmas) > 0
    np.testing.assert_array_equal(skeleton.flip_order[skeleton.flip_order], np.arange(k))
    for left, right in skeleton.flip_pairs:
        assert left != right
    for place, side in enumerate(skeleton.sides):
        words = skeleton.keypoints[place].lower().replace("-", "_").split("_")
        if side != "middle" and {"left", "right"} & set(words):
            assert side in words


def test_coco_is_cocos() -> None:
    coco = load_skeleton("coco")
    assert coco.keypoints[:3] == ("nose", "left_eye", "right_eye")
    assert coco.sigmas[0] == pytest.approx(0.026)
    assert coco.sigmas[11] == pytest.approx(0.107)


def test_a_set_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "car.yaml"
    path.write_text("keypoints: [front_left, front_right, roof]\nflip_pairs: [[0, 1]]\n")
    car = load_skeleton(str(path))
    assert (car.name, len(car)) == ("car", 3)
    assert car.sigmas == (DEFAULT_SIGMA,) * 3
    assert car.flip_order.tolist() == [1, 0, 2]
    assert car.sides == ("left", "right", "middle")


def test_what_is_not_there_or_does_not_fit_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no skeleton named 'cocoo': did you mean coco"):
        load_skeleton("cocoo")
    with pytest.raises(ConfigError, match=r"gone\.yaml not found"):
        load_skeleton("gone.yaml")
    path = tmp_path / "bad.yaml"
    path.write_text("points: [a]\n")
    with pytest.raises(ConfigError, match="has no 'keypoints'"):
        load_skeleton(str(path))
    with pytest.raises(ConfigError, match="index outside its 2 keypoints"):
        Skeleton("pair", ("a", "b"), flip_pairs=((0, 2),))
    with pytest.raises(ConfigError, match="needs 2 sigmas"):
        Skeleton("pair", ("a", "b"), sigmas=(0.1,))
    with pytest.raises(ConfigError, match="has no keypoints"):
        Skeleton("none", ())


@pytest.mark.parametrize("name", ["300w", "coco_wholebody_face", "lapa", "wflw"])
def test_the_jaw_on_the_left_of_the_picture_is_the_persons_right(name: str) -> None:
    skeleton = load_skeleton(name)
    jaw = {68: 16, 106: 32, 98: 32}[len(skeleton)]
    assert (skeleton.sides[0], skeleton.sides[jaw]) == ("right", "left")
    whole = load_skeleton("coco_wholebody")
    assert (whole.sides[23], whole.sides[39]) == ("right", "left")
    assert whole.sides[5] == "left"


def test_depths_are_measured_from_the_hips_or_the_pelvis() -> None:
    assert load_skeleton("coco").root == (11, 12)
    assert load_skeleton("coco_wholebody").root == (11, 12)
    assert load_skeleton("h36m").root[0] in (0, 4, 1)
    assert load_skeleton("lapa").root == (0,)
