"""People who were lost are known again by what they wear."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tracking.walkers import COCO
from tracking.wardrobe import BLUE, GREEN, RED, SIZE, Stage, picture, stand

from posetrack.figures import Colour
from posetrack.tracking.looks import broad_limbs, lab, likeness, look, nothing, remembered
from posetrack.types import Floats, Image

LIMBS = broad_limbs(COCO)


def seen(image: Image, *places: float) -> Floats:
    keypoints = np.stack([stand(x) for x in places])
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    return look(image, keypoints, np.ones((len(places), 17), bool), boxes, LIMBS)


def test_faces_carry_no_colour() -> None:
    assert len(LIMBS) == 12
    assert LIMBS.min() >= 5


def test_colours_are_those_of_opencv_as_far_as_whole_numbers_go() -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    pixels = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    theirs = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB) - np.float32([0, 128, 128])
    apart = np.abs(lab(pixels) - theirs)
    assert apart.max() < 3
    assert apart.mean() < 0.5


def test_the_same_clothes_are_alike_under_another_light_and_others_are_not() -> None:
    one = seen(picture((300, RED, BLUE)), 300)
    again = seen(picture((150, RED, BLUE), light=0.8), 150)
    other = seen(picture((300, GREEN, BLUE)), 300)
    assert likeness(one, again)[0, 0] > 0.8
    assert 0.3 < likeness(one, other)[0, 0] < 0.7  # the trousers are the same
    assert likeness(one, one)[0, 0] == pytest.approx(1)


def test_what_is_hidden_by_somebody_or_outside_does_not_count() -> None:
    alone = seen(picture((300, RED, BLUE)), 300)
    beside = seen(picture((300, RED, BLUE), (310, GREEN, GREEN)), 300, 310)
    assert alone[0, :, 3:].min() == 1
    assert beside[0, :, 4].mean() < 0.2
    assert np.isnan(likeness(alone, beside)[0, 0])
    green = seen(picture((310, GREEN, GREEN)), 310)  # who stands in front is compared
    assert likeness(beside, green)[0, 0] > 0.9
    outside = seen(picture((-60, RED, BLUE)), -60)
    assert outside[0, :, 3:].max() == 0


def test_nobody_has_no_look() -> None:
    none = look(
        picture(), np.zeros((0, 17, 2), np.float32), np.zeros((0, 17), bool), nothing(0), LIMBS
    )
    assert none.shape == (0, 12, 5)
    assert likeness(none, none).shape == (0, 0)


def test_a_look_follows_slowly_and_keeps_what_is_hidden_now() -> None:
    before, now = seen(picture((300, RED, BLUE)), 300), seen(picture((300, GREEN, GREEN)), 300)
    after = remembered(before, now)
    assert likeness(after, before)[0, 0] > 0.85 > likeness(after, now)[0, 0]
    np.testing.assert_array_equal(remembered(before, np.zeros_like(now)), before)
    np.testing.assert_array_equal(remembered(np.zeros_like(before), now), now)


def test_who_comes_back_elsewhere_keeps_the_id() -> None:
    stage = Stage()
    assert stage.at(0.0, (100, RED, BLUE), (500, GREEN, BLUE)) == {100: 1, 500: 2}
    stage.at(0.1, (500, GREEN, BLUE))
    assert stage.at(4.0, (500, GREEN, BLUE)) == {500: 2}
    assert stage.at(4.1, (300, RED, BLUE), (500, GREEN, BLUE)) == {300: 1, 500: 2}


def test_who_comes_back_elsewhere_is_at_rest_there() -> None:
    stage = Stage()
    stage.at(0.0, (100, RED, BLUE))
    stage.at(0.1)
    assert stage.at(1.0, (400, RED, BLUE)) == {400: 1}
    next_box = stage.tracker.propose(None, t_s=1.1, size=SIZE).boxes[0]
    here = stand(400)
    middle = (here[:, 0].min() + here[:, 0].max()) / 2
    assert (next_box[0] + next_box[2]) / 2 == pytest.approx(middle, abs=1)


def test_somebody_else_is_somebody_new() -> None:
    stage = Stage()
    stage.at(0.0, (100, RED, BLUE))
    stage.at(0.1)
    assert stage.at(4.0, (300, GREEN, RED)) == {300: 2}


@pytest.mark.parametrize(("settings", "blind"), [({"revive_s": 0.0}, False), ({}, True)])
def test_nobody_is_known_again_without_a_look(settings: dict[str, float], blind: bool) -> None:
    stage = Stage(**settings)
    stage.at(0.0, (100, RED, BLUE), blind=blind)
    stage.at(0.1, blind=blind)
    assert stage.at(4.0, (300, RED, BLUE), blind=blind) == {300: 2}


def test_after_too_long_it_is_somebody_new() -> None:
    stage = Stage(revive_s=3.0)
    stage.at(0.0, (100, RED, BLUE))
    for t in np.arange(0.1, 4.0, 0.1):
        stage.at(float(t))
    assert stage.at(4.0, (300, RED, BLUE)) == {300: 2}


def test_two_who_wear_the_same_are_not_taken_for_each_other() -> None:
    stage = Stage()
    stage.at(0.0, (100, RED, BLUE), (500, RED, BLUE))
    stage.at(0.1)
    assert stage.at(4.0, (300, RED, BLUE)) == {300: 3}


def test_nobody_comes_back_from_farther_than_he_can_have_gone() -> None:
    stage = Stage()
    stage.at(0.0, (60, RED, BLUE))
    stage.at(0.1)
    assert stage.at(0.2, (600, RED, BLUE)) == {600: 2}


@pytest.mark.parametrize(("top", "known"), [(RED, True), (GREEN, False)])
def test_one_limb_is_enough_where_somebody_left_the_picture(top: Colour, known: bool) -> None:
    stage, border = Stage(), 664.0
    for frame, x in enumerate((580.0, 600.0, 620.0, 640.0, border)):
        stage.at(frame / 10, (x, RED, BLUE))
    stage.at(1.0)
    stage.at(4.0)
    assert (seen(picture((border, RED, BLUE)), border)[0, :, 3] > 0).sum() < 3
    assert (stage.at(4.1, (border, top, BLUE)) == {border: 1}) is known
