"""Faces are gone from the picture, also where the network did not see them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest

from posetrack import demo
from posetrack.media.painter import Painter
from posetrack.media.privacy import upper_part
from posetrack.media.styles import Style
from posetrack.skeletons import load_skeleton, skeleton_names
from posetrack.types import Frame, Poses, Result, Tracks

COCO = load_skeleton("coco")
FACE = (90, 82, 160, 210)  # of the photograph that hangs in the clip's first picture
BUST = (36, 46, 214, 288)
NOTHING = Style(layers=frozenset(), blur_faces=True)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return next(islice(demo.frames(0.2), 1))[0]


def person(box, head=None, *, skeleton=COCO) -> Tracks:
    """One person in `box`; only the five points of the head are seen, if any."""
    count = len(skeleton)
    keypoints = np.zeros((1, count, 2), np.float32)
    scores = np.zeros((1, count), np.float32)
    if head is not None:
        around = np.array([(0, 12), (-14, 0), (14, 0), (-32, 4), (32, 4)])
        keypoints[0, :5] = around + np.array(head)
        scores[0, :5] = 0.9
    poses = Poses(keypoints, scores, np.array([box]), np.ones(1), skeleton)
    return Tracks(poses, np.zeros(1), np.ones(1), np.ones(1, bool))


def faceless(image, tracks: Tracks, style: Style = NOTHING) -> np.ndarray:
    return Painter(style)(Result(Frame(image, 0, 0.0, 0.0), tracks, tracks.poses.keypoints, True))


def detail(image, box) -> float:
    """The strength of edges: of a face at its own size, eyes, glasses and lips."""
    left, top, right, bottom = box
    grey = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).std())


def likeness(a, b, box) -> float:
    """Correlation of what is finer than the head as a whole."""
    left, top, right, bottom = box
    fine = []
    for image in (a, b):
        part = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2GRAY).astype(np.float32)
        fine.append((part - cv2.GaussianBlur(part, (0, 0), 8)).ravel())
    return float(np.corrcoef(*fine)[0, 1])


def assert_gone(before, after, box=FACE) -> None:
    assert detail(before, box) > 10
    assert detail(after, box) < 0.1 * detail(before, box)
    assert abs(likeness(before, after, box)) < 0.35


def test_a_face_is_gone_where_its_keypoints_are_seen(picture):
    after = faceless(picture, person(BUST, (125, 130)))
    assert_gone(picture, after)
    assert (after[300:] == picture[300:]).all()
    assert (after[:, 330:] == picture[:, 330:]).all()


def test_a_face_is_gone_where_no_keypoint_is_seen(picture):
    assert_gone(picture, faceless(picture, person(BUST)))


def test_two_points_of_a_head_do_not_count_as_one(picture):
    """The other three may be where the face is."""
    tracks = person(BUST, (60, 260))  # wrong
    scores = tracks.poses.scores.copy()
    scores[0, 2:] = 0
    tracks = replace(tracks, poses=replace(tracks.poses, scores=scores))
    assert_gone(picture, faceless(picture, tracks))


def test_what_the_network_saw_counts_beside_what_was_smoothed(picture):
    late = person(BUST, (125, 270))  # smoothing lags behind a fast head
    raw = person(BUST, (125, 130)).poses.keypoints
    after = Painter(NOTHING)(Result(Frame(picture, 0, 0.0, 0.0), late, raw, True))
    assert_gone(picture, after)


def test_predicted_people_are_hidden_too(picture):
    tracks = person(BUST, (125, 130))
    lost = replace(tracks, observed=np.zeros(1, bool))
    assert_gone(picture, faceless(picture, lost))


@pytest.mark.parametrize("compare", ["raw", "source"])
def test_no_half_of_a_comparison_shows_a_face(picture, compare):
    both = faceless(picture, person(BUST, (125, 130)), replace(NOTHING, compare=compare))
    width = picture.shape[1]
    for half in (both[:, :width], both[:, width:]):
        assert_gone(picture, half)


def test_a_picture_without_people_drawn_has_no_face_either(picture):
    tracks = person(BUST, (125, 130))
    result = Result(Frame(picture, 0, 0.0, 0.0), tracks, tracks.poses.keypoints, True)
    assert_gone(picture, Painter(NOTHING).plain(result))
    assert Painter(Style()).plain(result) is picture  # nothing to hide, nothing to copy


def test_the_frame_itself_keeps_the_face(picture):
    before = picture.copy()
    faceless(picture, person(BUST, (125, 130)))
    assert (picture == before).all()


def test_the_upper_part_of_a_box_grows_as_people_are_cut_off_or_lie():
    def share(width, height):
        left, top, right, bottom = upper_part(np.array([0, 0, width, height], np.float32))
        assert (left, right, top) == (0, width, pytest.approx(-height / 10))
        return bottom / height

    assert share(30, 100) == pytest.approx(1 / 3)
    assert share(70, 100) == pytest.approx(0.7)
    assert share(200, 100) == 1


@pytest.mark.parametrize("name", skeleton_names())
def test_every_set_hides_something_of_somebody_unseen(picture, name):
    after = faceless(picture, person(BUST, skeleton=load_skeleton(name)))
    assert_gone(picture, after)


@pytest.mark.parametrize("box", [(-900, -900, -800, -700), (0, 0, 1, 1), (-1e6, -1e6, 1e6, 1e6)])
def test_people_outside_and_enormous_do_no_harm(picture, box):
    for head in (None, (1e7, -1e7), (3, 3)):
        assert faceless(picture, person(box, head)).shape == picture.shape
