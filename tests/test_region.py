"""Where people count: shapes, masks, and what the detector and the tracker make of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import FakeDetector, FakeEstimator, Person, draw_people

from posetrack.errors import ConfigError
from posetrack.perception import Perception
from posetrack.region import Mask, Polygon, open_region

SIZE = (640, 480)
BOXES = np.array([[80, 80, 120, 180], [400, 200, 440, 300]], np.float32)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("0,0,320,480", [True, False]),
        ("0.5,0,1,1", [False, True]),
        ("0, 0 640, 0 640, 480", [False, True]),  # the upper right triangle
        ("0,0 0.99,0 0.99,0.99 0,0.99", [True, True]),
    ],
)
def test_a_region_holds_those_whose_centre_is_in_it(text: str, inside: list[bool]) -> None:
    assert Polygon.parse(text).contains(BOXES, SIZE).tolist() == inside
    assert Polygon.parse(text).contains(BOXES[:0], SIZE).shape == (0,)


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2 3,4", "a,b,c,d", "5,5,5,9", "-1,0,5,5", "nan,0,1,1", "1,2,3 4,5,6"]
)
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"give a rectangle x1,y1,x2,y2 or corners"):
        Polygon.parse(text)


def test_the_detector_sees_some_room_around_it() -> None:
    assert Polygon.parse("100,100,300,200").window(SIZE) == (80, 90, 320, 210)
    assert Polygon.parse("0,0,1,1").window(SIZE) == (0, 0, 640, 480)
    with pytest.raises(ConfigError, match="outside the picture, which is 640x480"):
        Polygon.parse("900,900,1000,1000").window(SIZE)


def test_a_mask_is_scaled_to_the_picture(tmp_path: Path) -> None:
    painted = np.zeros((48, 64), np.uint8)
    painted[:, 32:] = 255
    cv2.imwrite(str(tmp_path / "m.png"), painted)
    mask = Mask(tmp_path / "m.png")
    assert mask.contains(BOXES, SIZE).tolist() == [False, True]
    assert mask.window(SIZE) == (288, 0, 640, 480)
    cv2.imwrite(str(tmp_path / "black.png"), painted * 0)
    with pytest.raises(ConfigError, match="all black"):
        Mask(tmp_path / "black.png")
    with pytest.raises(ConfigError, match="cannot read mask"):
        Mask(tmp_path / "missing.png")
    with pytest.raises(ConfigError, match="one is enough"):
        open_region("0,0,1,1", tmp_path / "m.png")


def test_only_those_inside_are_followed() -> None:
    scene = (Person(60, (20, 30, 60, 130), (3.0, 0.0)), Person(120, (220, 40, 260, 140)))
    perception = Perception(
        det=FakeDetector(), pose=FakeEstimator(), det_interval=5, region=Polygon.parse("0.5,0,1,1")
    )
    for index in range(60):
        tracks = perception(draw_people(scene, index), index / 25).tracks
        centres = tracks.poses.boxes[:, [0, 2]].mean(axis=1)
        assert (centres >= 155).all(), "the box is smoothed, and stays where the pictures have it"
        if index < 35:  # the first one comes to 160 px in frame 40
            assert len(tracks) == 1
            assert centres[0] == pytest.approx(240, abs=3)
    assert len(tracks) == 2


def test_who_leaves_the_region_is_gone() -> None:
    walker = (Person(60, (20, 30, 60, 130), (3.0, 0.0)),)
    perception = Perception(
        det=FakeDetector(), pose=FakeEstimator(), det_interval=5, region=Polygon.parse("0,0,.5,1")
    )
    seen = [len(perception(draw_people(walker, index), index / 25).tracks) for index in range(60)]
    assert seen[:38] == [1] * 38
    assert seen[45:] == [0] * 15
