"""Who is followed where more people are in the picture than are wanted."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeDetector, FakeEstimator, Person, draw_people

from posetrack.errors import ConfigError
from posetrack.perception import Perception
from posetrack.tracking import TrackerSettings
from posetrack.tracking.selection import most_wanted

SIZE = (320, 240)
NEAR = (120, 30, 190, 220)
SMALL = (20, 60, 50, 130)
OTHER = (250, 60, 285, 140)


def followed(scene: tuple[Person, ...], frames: int = 30, **settings) -> list[list[float]]:
    """Left edges of those shown, frame by frame, with the detector in every frame."""
    perception = Perception(
        det=FakeDetector(), pose=FakeEstimator(), tracker=TrackerSettings(**settings)
    )
    return [
        perception(draw_people(scene, index), index / 25).tracks.poses.boxes[:, 0].tolist()
        for index in range(frames)
    ]


def test_the_first_keeps_the_place() -> None:
    scene = (Person(60, SMALL), Person(120, NEAR, first=5))
    shown = followed(scene, max_boxes=1)
    assert all(len(each) == 1 and each[0] < 60 for each in shown)


def test_the_largest_takes_it() -> None:
    scene = (Person(60, SMALL), Person(120, NEAR, first=5))
    shown = followed(scene, max_boxes=1, select="largest")
    assert shown[0][0] < 60
    assert shown[-1][0] > 100
    assert all(len(each) == 1 for each in shown[6:])


def test_the_one_in_the_centre_takes_it() -> None:
    scene = (Person(60, SMALL), Person(120, OTHER), Person(200, (150, 100, 170, 150), first=5))
    shown = followed(scene, max_boxes=1, select="center")
    assert 140 < shown[-1][0] < 160


def test_nobody_takes_turns() -> None:
    """Two of nearly one size: whoever is followed stays."""
    boxes = np.array([[0, 0, 40, 100], [100, 0, 142, 104]], np.float32)
    seen = np.array([True, False])
    assert most_wanted("largest", boxes, seen, SIZE, 1).tolist() == [0]
    assert most_wanted("largest", boxes, ~seen, SIZE, 1).tolist() == [1]
    assert most_wanted("largest", boxes, seen, SIZE, 2).tolist() == [0, 1]


def test_ids_choose_who_is_shown() -> None:
    scene = (Person(60, SMALL), Person(120, NEAR), Person(200, OTHER))
    perception = Perception(
        det=FakeDetector(), pose=FakeEstimator(), tracker=TrackerSettings(select="1,3")
    )
    for index in range(5):
        tracks = perception(draw_people(scene, index), index / 25).tracks
        assert tracks.ids.tolist() == [1, 3]


@pytest.mark.parametrize("word", ["biggest", "", "1,", "1;2", "-1"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"first, largest, center, or ids such as 3 or 3,7"):
        TrackerSettings(select=word)
