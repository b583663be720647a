"""The ready-made styles, heat maps and comparisons, by their pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posetrack.media import openpose, palette
from posetrack.media.drawing import draw
from posetrack.media.heat import draw_heat
from posetrack.media.mirror import mirrored
from posetrack.media.painter import Painter
from posetrack.media.parts import fine_keypoints, head_keypoints
from posetrack.media.styles import STYLES, Style
from posetrack.skeletons import load_skeleton
from posetrack.types import Frame, Heat, Poses, Result, Tracks

COCO = load_skeleton("coco")
HALF = [(1, -10), (2, -9), (4, -6), (5, -2), (5, 2), (3, 2), (3, 7), (3, 12)]
STANDING = np.array([(0, -9), *((s * x, y) for x, y in HALF for s in (1, -1))], np.float32)


def standing(at=(320, 240), *, scale=15.0, number=3, skeleton=COCO, points=STANDING) -> Tracks:
    keypoints = (points * scale + np.array(at))[None]
    boxes = np.concatenate([keypoints.min(axis=1) - 9, keypoints.max(axis=1) + 9], axis=1)
    poses = Poses(keypoints, np.full((1, len(skeleton)), 0.9), boxes, np.ones(1), skeleton)
    return Tracks(poses, np.array([number]), np.ones(1), np.ones(1, bool))


def grey(value=100) -> np.ndarray:
    return np.full((480, 640, 3), value, np.uint8)


def result(tracks: Tracks, image=None, **more) -> Result:
    frame = Frame(grey() if image is None else image, 0, 0.0, 0.0)
    return Result(frame, tracks, tracks.poses.keypoints, True, **more)


def colours_in(image) -> np.ndarray:
    return np.unique(image.reshape(-1, 3), axis=0)


def middle(a: str, b: str, tracks: Tracks) -> tuple[int, int]:
    names, points = tracks.poses.skeleton.keypoints, tracks.poses.keypoints[0]
    x, y = (points[names.index(a)] + points[names.index(b)]) / 2
    return round(float(y)), round(float(x))


def test_each_style_makes_another_picture():
    pictures = [Painter(style)(result(standing())).tobytes() for style in STYLES.values()]
    assert len(set(pictures)) == len(STYLES) == 4


@pytest.mark.parametrize("name", STYLES)
def test_lines_are_smooth_in_every_style(name):
    """Between a line and its ground lie colours that are neither."""
    style = replace(STYLES[name], layers=frozenset({"limbs"}))
    image = grey()
    draw(image, standing((320.4, 240.7)), style)
    assert len(colours_in(image)) > 60


def test_a_shift_of_a_quarter_pixel_shows():
    first, second = grey(), grey()
    style = STYLES["minimal"]
    draw(first, standing((320.0, 240.0)), style)
    draw(second, standing((320.25, 240.0)), style)
    assert (first != second).any()


def test_openpose_has_a_neck_and_its_own_colours_on_black():
    tracks = standing()
    style = replace(STYLES["openpose"], background="black")
    picture = Painter(style)(result(tracks))
    # Neck to right shoulder is red and to left shoulder orange, at 0.6, as in OpenPose.
    points = openpose.with_neck(tracks.poses)
    neck, right, left = points.keypoints[0, [1, 2, 5]]
    for end, colour in ((right, (0, 0, 153)), (left, (0, 51, 153))):
        x, y = (neck + end) / 2
        assert tuple(picture[round(float(y)), round(float(x))]) == colour
    x, y = neck
    assert tuple(picture[round(float(y)), round(float(x))]) == (0, 85, 255)  # a full-colour dot
    assert points.skeleton.name == "coco_openpose"
    assert points.keypoints[0, 16] == pytest.approx(tracks.poses.keypoints[0, 4])  # right ear


def test_a_neck_is_as_sure_as_the_less_sure_shoulder():
    poses = standing().poses
    scores = poses.scores.copy()
    scores[0, 5] = 0.2
    assert openpose.with_neck(replace(poses, scores=scores)).scores[0, 1] == pytest.approx(0.2)


def test_other_sets_are_drawn_in_openpose_style_without_a_neck():
    halpe = load_skeleton("halpe26")
    points = np.random.default_rng(0).uniform(-9, 9, (26, 2)).astype(np.float32)
    tracks = standing(skeleton=halpe, points=points)
    assert openpose.with_neck(tracks.poses) is tracks.poses
    image = grey()
    draw(image, tracks, STYLES["openpose"])
    assert (image != 100).any()


def test_minimal_has_thin_lines_in_the_colour_of_the_id_and_no_edge():
    image = grey()
    tracks = standing()
    draw(image, tracks, STYLES["minimal"])
    default = grey()
    draw(default, tracks, STYLES["default"])
    assert (image != 100).any(axis=2).sum() < 0.5 * (default != 100).any(axis=2).sum()
    assert tuple(image[middle("left_elbow", "left_wrist", tracks)]) == palette.id_colour(3)
    # The label above has dark letters; the lines have no dark edge.
    assert colours_in(image[100:]).max(axis=1).min() >= 60


def test_fingers_and_face_get_smaller_dots_than_the_body():
    whole = load_skeleton("coco_wholebody")
    fine = fine_keypoints(whole)
    assert len(fine) == 68 + 42
    assert not fine_keypoints(load_skeleton("coco_wholebody_hand"))
    points = np.zeros((133, 2), np.float32)
    sizes = []
    for index in (9, 91):  # a wrist of the body, a point of a hand
        scores = np.zeros((1, 133))
        scores[0, index] = 1
        tracks = standing(scale=0, skeleton=whole, points=points)
        poses = replace(tracks.poses, scores=scores, boxes=np.array([[20, 40, 620, 440]]))
        image = grey()
        draw(image, replace(tracks, poses=poses), Style(layers=frozenset({"keypoints"})))
        sizes.append((image != 100).any(axis=2).sum())
    assert sizes[1] < 0.5 * sizes[0]


def test_ears_are_on_the_head_and_forearms_and_forefingers_are_not():
    def names(of):
        skeleton = load_skeleton(of)
        return [skeleton.keypoints[i] for i in head_keypoints(skeleton)]

    assert names("coco") == list(COCO.keypoints[:5])
    assert names("mpii") == ["upper_neck", "head_top"]
    assert names("horse10") == ["Nose", "Eye"]
    assert names("coco_wholebody_hand") == []
    assert len(names("wflw")) == 98


def blob(at, placement) -> Heat:
    """One map of 64 x 48 with a hot spot."""
    y, x = np.mgrid[0:64, 0:48]
    spot = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 18)
    return Heat(spot[None], np.array([placement]))


def test_heat_glows_where_the_network_answered():
    image = grey()
    draw_heat(image, blob((24, 16), [[4, 0, 100], [0, 4, 50]]))
    changed = np.abs(image.astype(int) - 100).sum(axis=2)
    y, x = np.unravel_index(changed.argmax(), changed.shape)
    assert abs(x - 196) < 8
    assert abs(y - 114) < 8
    assert (image[300:] == 100).all()
    assert (image[:, 400:] == 100).all()


def test_heat_of_people_outside_the_picture_does_no_harm():
    image = grey()
    for corner in (-1000, 10_000, -150):
        draw_heat(image, blob((24, 16), [[4, 0, corner], [0, 4, corner]]))
    assert (image[200:, 200:] == 100).all()


def test_heat_is_painted_only_where_it_is_asked():
    heat = blob((24, 32), [[4, 0, 220], [0, 4, 100]])
    nobody = Tracks.empty(COCO)
    asked = Painter(Style(layers=frozenset({"heatmap"})))
    assert (asked(result(nobody, heat=heat)) != 100).any()
    assert (asked(result(nobody)) == 100).all()
    assert (Painter(Style())(result(nobody, heat=heat)) == 100).all()


def test_heat_is_mirrored_with_the_picture():
    heat = blob((8, 32), [[4, 0, 100], [0, 4, 100]])
    turned = mirrored(result(Tracks.empty(COCO), heat=heat)).heat
    there, here = grey(), grey()
    draw_heat(there, turned)
    draw_heat(here, heat)
    difference = np.abs(there[:, ::-1].astype(int) - here).max(axis=2)
    assert difference.mean() < 0.5
    assert (here != there).any()


def test_a_comparison_with_raw_shows_both_poses():
    tracks = standing((200, 240), scale=8)
    raw = tracks.poses.keypoints + np.array([150, 0], np.float32)
    picture = Painter(Style(layers=frozenset({"limbs"}), compare="raw"))(
        replace(result(tracks), raw=raw)
    )
    assert picture.shape == (480, 1280, 3)
    left, right = picture[60:, :640], picture[60:, 640:]  # below the words
    columns = [np.flatnonzero((half != 100).any(axis=(0, 2))).mean() for half in (left, right)]
    assert columns == [pytest.approx(350, abs=5), pytest.approx(200, abs=5)]


def test_a_comparison_with_the_source_leaves_it_alone():
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    kept = image.copy()
    picture = Painter(Style(compare="source"))(result(standing(), image))
    assert (picture[60:, :640] == image[60:]).all()
    assert (picture[60:, 640:] != image[60:]).any()
    assert (image == kept).all()
