"""Drawing: in place, only what was asked, robust against people far outside the picture."""

from __future__ import annotations

import numpy as np
import pytest

from posetrack.errors import ConfigError
from posetrack.media import palette
from posetrack.media.drawing import draw
from posetrack.media.labels import least_hiding, places, tag
from posetrack.media.painter import Painter, Trails
from posetrack.media.styles import LAYERS, SCHEMES, Style
from posetrack.skeletons import Skeleton, load_skeleton, skeleton_names
from posetrack.types import Frame, Poses, Result, Tracks

COCO = load_skeleton("coco")
_LEFT_AND_RIGHT = [(1, -10), (2, -9), (4, -6), (5, -2), (5, 2), (3, 2), (3, 7), (3, 12)]
_BOTH = [point for x, y in _LEFT_AND_RIGHT for point in ((x, y), (-x, y))]
STANDING = np.array([(0, -9), *_BOTH], np.float32)


def people(
    *centres, scale=10.0, score=0.9, ids=None, observed=True, skeleton=COCO, points=STANDING
) -> Tracks:
    at = np.array(centres, np.float32).reshape(-1, 1, 2)
    n, k = len(at), len(skeleton)
    keypoints = points[None] * scale + at
    boxes = np.concatenate([keypoints.min(axis=1) - 5, keypoints.max(axis=1) + 5], axis=1)
    poses = Poses(keypoints, np.full((n, k), score), boxes, np.full(n, score), skeleton)
    numbers = np.arange(n) if ids is None else np.array(ids)
    return Tracks(poses, numbers, np.ones(n), np.full(n, observed))


def grey(size=(640, 480)) -> np.ndarray:
    return np.full((size[1], size[0], 3), 100, np.uint8)


def drawn(tracks: Tracks, **style) -> np.ndarray:
    image = grey()
    draw(image, tracks, Style(**style))
    return image


def test_limbs_have_the_colours_of_their_side():
    image = drawn(people((300, 200)), layers=frozenset({"limbs"}))
    left = (STANDING[[5, 7]].mean(axis=0) * 10 + (300, 200)).astype(int)
    right = (STANDING[[6, 8]].mean(axis=0) * 10 + (300, 200)).astype(int)
    colours = palette.limb_colours(COCO, "side")
    limbs = COCO.limbs
    assert tuple(image[left[1], left[0]]) == colours[limbs.index((5, 7))]
    assert tuple(image[right[1], right[0]]) == colours[limbs.index((6, 8))]
    assert colours[limbs.index((5, 6))] == colours[limbs.index((11, 12))]


@pytest.mark.parametrize("layer", [*LAYERS[:4]])
def test_each_layer_can_be_drawn_alone(layer):
    image = drawn(people((300, 200)), layers=frozenset({layer}))
    changed = (image != 100).any(axis=2).sum()
    assert 50 < changed < 20_000


def test_no_layer_and_nobody_draw_nothing():
    assert (drawn(people((300, 200)), layers=frozenset()) == 100).all()
    assert (drawn(Tracks.empty(COCO)) == 100).all()


def test_keypoints_below_the_threshold_are_left_out():
    low = people((300, 200), score=0.2)
    layers = frozenset({"limbs", "keypoints"})
    assert (drawn(low, layers=layers, threshold=0.3) == 100).all()
    assert (drawn(low, layers=layers, threshold=0.1) != 100).any()


def test_large_people_get_thicker_lines_than_small_ones():
    layers = frozenset({"limbs"})
    small = (drawn(people((300, 100), scale=4.0), layers=layers) != 100).any(axis=2).sum() / 4.0
    large = (drawn(people((300, 220), scale=16.0), layers=layers) != 100).any(axis=2).sum() / 16.0
    assert large > 1.3 * small


@pytest.mark.parametrize("scheme", SCHEMES)
def test_people_outside_and_enormous_do_no_harm(scheme):
    far = [(-1e7, 1e7), (1e9, -1e9), (320, 240)]
    image = grey()
    draw(image, people(*far, scale=500.0, ids=[0, 10**12, 3]), Style(scheme=scheme))
    assert image.shape == (480, 640, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16)])
def test_tiny_pictures_are_drawn_on(size):
    image = grey(size)
    style = Style(layers=frozenset(LAYERS), keypoint_index=True)
    draw(image, people((1, 1), scale=0.2), style)
    frame = Frame(grey(size), 0, 0.0, 0.0)
    tracks = people((1, 1))
    painter = Painter(Style(layers=frozenset(LAYERS), background="blur"))
    assert painter(Result(frame, tracks, tracks.poses.keypoints, True)).shape == image.shape


def test_every_built_in_skeleton_is_drawn():
    for name in skeleton_names():
        skeleton = load_skeleton(name)
        spread = np.random.default_rng(0).uniform(0, 200, (len(skeleton), 2)).astype(np.float32)
        tracks = people((100, 100), scale=1.0, skeleton=skeleton, points=spread)
        for scheme in SCHEMES:
            image = grey()
            draw(image, tracks, Style(scheme=scheme))
            assert (image != 100).any()


def test_predicted_people_are_dimmer():
    style = {"layers": frozenset({"limbs"})}
    seen = drawn(people((300, 200)), **style)
    lost = drawn(people((300, 200), observed=False), **style)
    spread = [np.ptp(image.reshape(-1, 3).astype(int), axis=1).max() for image in (seen, lost)]
    assert spread[1] < 0.7 * spread[0]


def test_labels_lie_outside_the_box_where_there_is_room():
    def first(*box):
        return next(places((20, 14), box, (640, 480)))[1][:2]

    assert first(100, 50, 200, 300) == (100, 36)  # above
    assert first(100, 5, 200, 300) == (100, 301)  # below
    assert first(100, 5, 200, 475) == (201, 5)  # beside
    assert first(0, 0, 640, 480) == (0, 0)  # in the corner
    assert first(-50, 50, 20, 300) == (0, 36)
    assert first(630, 50, 700, 300) == (620, 36)


def spot(*others, kept=None):
    """The place of a label for somebody who stands in the middle, and its number."""
    free = places((20, 14), (100, 100, 200, 300), (640, 480))
    return least_hiding(free, others, kept)


def test_labels_go_where_they_hide_nobody():
    neighbour = (90.0, 20.0, 150.0, 120.0)  # stands where the label would be
    assert spot()[1][:2] == (100, 86)
    assert spot(neighbour)[1][:2] == (180, 86)
    assert spot((0.0, 0.0, 640.0, 480.0))[0] == 0  # somebody is everywhere


def test_a_label_stays_where_it_was_until_somebody_comes_there():
    assert spot((198.0, 0.0, 260.0, 95.0), kept=1)[0] == 1  # a tenth of it is covered
    assert spot((150.0, 0.0, 260.0, 95.0), kept=1)[0] == 0


def test_two_labels_never_hide_each_other():
    image = grey()
    spots = {}
    draw(image, people((300, 200), (302, 200), ids=[1, 2]), Style(), spots)
    assert len(set(spots.values())) == 2


def test_a_tag_has_its_height_and_is_shared():
    assert tag("12", 14, (10, 20, 30)).shape[0] == 14
    assert tag("12", 14, (10, 20, 30)) is tag("12", 14, (10, 20, 30))
    assert tag("123", 14, (10, 20, 30)).shape[1] > tag("1", 14, (10, 20, 30)).shape[1]


def test_the_painter_leaves_the_frame_alone():
    frame = Frame(grey(), 0, 0.0, 0.0)
    tracks = people((300, 200))
    picture = Painter()(Result(frame, tracks, tracks.poses.keypoints, True))
    assert (frame.image == 100).all()
    assert (picture != 100).any()


@pytest.mark.parametrize("kind", ["image", "black", "blur"])
def test_backgrounds(kind):
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    tracks = Tracks.empty(COCO)
    picture = Painter(Style(background=kind))(
        Result(Frame(image, 0, 0.0, 0.0), tracks, np.zeros((0, 17, 2), np.float32), True)
    )
    spread = float(picture.std())
    assert picture is not image
    assert spread == pytest.approx({"image": float(image.std()), "black": 0}.get(kind, spread))
    if kind == "blur":
        assert spread < 0.2 * image.std()


def test_trails_follow_and_fade():
    trails = Trails(1.0)
    for step in range(50):
        trails.update(people((100 + 8 * step, 200), ids=[7]), step / 25)
    image = grey()
    trails.draw(image)
    changed = np.flatnonzero((image != 100).any(axis=(0, 2)))
    assert 270 < changed.min() < 300  # one second, 200 px, before the last place
    assert 485 < changed.max() < 500
    trails.update(Tracks.empty(COCO), 9.0)
    image = grey()
    trails.draw(image)
    assert (image == 100).all()


@pytest.mark.parametrize(
    "wrong", [{"layers": frozenset({"hats"})}, {"scheme": "pink"}, {"background": "sea"}]
)
def test_unknown_words_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"unknown .* choose of "):
        Style(**wrong)


def test_another_skeleton_must_have_as_many_keypoints():
    with pytest.raises(ConfigError, match="has 2 keypoints but the model gives 17"):
        drawn(people((300, 200)), skeleton=Skeleton("two", ("a", "b")))
