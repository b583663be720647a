"""The pose estimator on a real small graph that looks for the brightest pixel of each crop."""

from __future__ import annotations

from pathlib import Path

import cv2
import graphs
import numpy as np
import pytest

from posetrack.backends import open_backend
from posetrack.codecs import SimCC
from posetrack.errors import ModelError
from posetrack.estimator import Estimator
from posetrack.zoo import find


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graphs.brightest_pixel(tmp_path_factory.mktemp("pose") / "pose.onnx")


@pytest.fixture(scope="module")
def estimator(graph: Path) -> Estimator:
    return Estimator.load(graph)


def _lit(size: tuple[int, int], *spots: tuple[int, int]) -> np.ndarray:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y in spots:
        image[y, x] = 255
    return image


def test_keypoints_come_back_in_source_pixels(estimator: Estimator) -> None:
    image = _lit((640, 480), (200, 150), (420, 300))
    boxes = [[150, 100, 250, 250], [380, 200, 460, 400]]
    poses = estimator(image, boxes)
    assert poses.keypoints.shape == (2, 17, 2)
    # Half a bin is a quarter of a crop pixel; here a crop pixel is about a source pixel.
    np.testing.assert_allclose(poses.keypoints[0, 0], (200, 150), atol=1.0)
    np.testing.assert_allclose(poses.keypoints[1, 5], (420, 300), atol=1.0)
    np.testing.assert_array_equal(poses.boxes, np.array(boxes, np.float32))
    assert poses.skeleton.name == "coco"


def test_a_batch_gives_what_single_runs_give(estimator: Estimator) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 400, 3), np.uint8)
    corners = rng.uniform(0, 250, (9, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 150, (9, 2))], axis=1)
    together = estimator(image, boxes)
    for row in range(len(boxes)):
        alone = estimator(image, boxes[row : row + 1])
        np.testing.assert_array_equal(alone.keypoints[0], together.keypoints[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


def test_several_pictures_in_one_batch_give_what_each_gives_alone(graph: Path) -> None:
    rng = np.random.default_rng(1)
    small = Estimator.load(graph, max_batch=4)
    requests = []
    for count in (3, 0, 5):
        image = rng.integers(0, 256, (300, 400, 3), np.uint8)
        corners = rng.uniform(0, 250, (count, 2))
        sizes = rng.uniform(5, 150, (count, 2))
        boxes = np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)
        requests.append((image, boxes, rng.uniform(0, 1, count).astype(np.float32)))
    together = small.many(requests)
    for (image, boxes, scores), poses in zip(requests, together, strict=True):
        alone = small(image, boxes, box_scores=scores)
        np.testing.assert_array_equal(alone.keypoints, poses.keypoints)
        np.testing.assert_array_equal(alone.scores, poses.scores)
        np.testing.assert_array_equal(poses.box_scores, scores)
    small.close()


def test_more_people_than_a_batch_are_split(graph: Path, estimator: Estimator) -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    boxes = np.array([[i, i, i + 80, i + 120] for i in range(0, 70, 10)], np.float32)
    split = Estimator.load(graph, max_batch=3)(image, boxes)
    np.testing.assert_array_equal(split.keypoints, estimator(image, boxes).keypoints)


def test_a_graph_of_fixed_batch_is_filled_up(tmp_path: Path, estimator: Estimator) -> None:
    fixed = Estimator.load(graphs.brightest_pixel(tmp_path / "fixed.onnx", batch=2))
    assert fixed.max_batch == 2
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    boxes = [[0, 0, 90, 100], [50, 50, 200, 290], [10, 60, 90, 200]]
    np.testing.assert_array_equal(fixed(image, boxes).keypoints, estimator(image, boxes).keypoints)


def test_no_boxes_are_no_poses_and_no_run(estimator: Estimator) -> None:
    poses = estimator(np.zeros((10, 10, 3), np.uint8), np.empty((0, 4)))
    assert poses.keypoints.shape == (0, 17, 2)


@pytest.mark.parametrize(
    "box",
    [[50, 50, 50, 50], [50, 20, 50, 90], [90, 90, 20, 20], [-80, -80, -10, -10], [500, 0, 600, 50]],
    ids=["a point", "a line", "inside out", "left of the picture", "right of it"],
)
def test_a_box_with_nothing_in_it_has_score_zero_and_spoils_no_other(
    box: list[float], estimator: Estimator
) -> None:
    image = _lit((100, 100), (40, 60))
    poses = estimator(image, [box, [20, 20, 80, 90]])
    assert (poses.scores[0] == 0).all()
    assert np.isfinite(poses.keypoints).all()
    np.testing.assert_allclose(poses.keypoints[1, 0], (40, 60), atol=1.0)


@pytest.mark.parametrize("size", [(1, 1), (3, 2001), (1001, 1)])
def test_any_picture_size_is_taken(size: tuple[int, int], estimator: Estimator) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    poses = estimator(image, [[0, 0, *size]])
    assert np.isfinite(poses.keypoints).all()


def test_scores_of_boxes_are_kept(estimator: Estimator) -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    poses = estimator(image, [[0, 0, 9, 9], [0, 0, 20, 20]], box_scores=[0.5, 0.25])
    np.testing.assert_array_equal(poses.box_scores, np.array([0.5, 0.25], np.float32))


def test_it_equals_the_slow_obvious_way(graph: Path, estimator: Estimator) -> None:
    """One person, MMPose's steps one by one in double precision."""
    image = np.random.default_rng(3).integers(0, 256, (240, 320, 3), np.uint8)
    x1, y1, x2, y2 = box = (60.0, 30.0, 150.0, 200.0)
    width, height = (x2 - x1) * 1.25, (y2 - y1) * 1.25
    if width > height * 0.75:
        height = width / 0.75
    else:
        width = height * 0.75
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    three = [(0, 0), (0, -height / 2), (width / 2, 0)]
    source = np.array([centre + np.array(p) for p in three], np.float32)
    target = np.array([(96, 128), (96, 0), (192, 128)], np.float32)
    crop = cv2.warpAffine(image, cv2.getAffineTransform(source, target), (192, 256))
    mean, std = np.array((123.675, 116.28, 103.53)), np.array((58.395, 57.12, 57.375))
    tensor = ((crop[..., ::-1] - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    outputs = open_backend("ort", graph).run({"input": tensor})
    at, scores = SimCC((192, 256)).decode(outputs["simcc_x"], outputs["simcc_y"])
    expected = at[0] / (192, 256) * (width, height) + centre - np.array((width, height)) / 2
    poses = estimator(image, [box])
    np.testing.assert_allclose(poses.keypoints[0], expected, atol=0.6 * width / 192)
    np.testing.assert_allclose(poses.scores[0], scores[0], atol=0.05)


def test_heat_maps_are_hottest_at_the_keypoints(graph: Path) -> None:
    estimator = Estimator.load(graph, keep_heat=True, max_batch=2)
    image = _lit((640, 480), (200, 150), (420, 300), (100, 400))
    boxes = [[150, 100, 250, 250], [380, 200, 460, 400], [60, 300, 140, 470]]
    estimator(image, boxes)
    heat = estimator.take_heat()
    assert heat is not None
    assert heat.maps.shape == (3, 256, 192)
    for one, placement, spot in zip(
        heat.maps, heat.placements, [(200, 150), (420, 300), (100, 400)], strict=True
    ):
        assert 0 < one.max() <= 1
        y, x = np.unravel_index(one.argmax(), one.shape)
        np.testing.assert_allclose(placement @ np.array([x, y, 1]), spot, atol=1.5)
    assert estimator.take_heat() is None  # taken once


def test_no_heat_map_is_kept_unasked(estimator: Estimator) -> None:
    estimator(_lit((64, 48), (20, 20)), [[0, 0, 40, 40]])
    assert estimator.take_heat() is None


def test_the_score_scale_of_the_card_divides_the_scores(graph: Path) -> None:
    image = _lit((100, 100), (50, 50))
    card = find(graph, task="pose").card
    backend = open_backend("ort", graph)
    plain = Estimator(card, backend)(image, [[20, 20, 80, 80]])
    tenth = Estimator(card.model_copy(update={"score_scale": 10.0}), backend)(
        image, [[20, 20, 80, 80]]
    )
    assert tenth.scores[0, 0] < plain.scores[0, 0]


def test_outputs_of_other_names_are_known_by_their_lengths(tmp_path: Path) -> None:
    path = graphs.brightest_pixel(tmp_path / "m.onnx", names=("output", "700"))
    poses = Estimator.load(path)(_lit((100, 100), (40, 60)), [[20, 20, 80, 90]])
    np.testing.assert_allclose(poses.keypoints[0, 0], (40, 60), atol=1.0)


def test_a_skeleton_of_another_length_is_refused(graph: Path) -> None:
    card = find(graph, task="pose").card.model_copy(update={"skeleton": "halpe26"})
    with pytest.raises(ModelError, match="the graph has 17 keypoints, skeleton 'halpe26' has 26"):
        Estimator(card, open_backend("ort", graph))


def test_a_size_of_another_graph_is_refused(graph: Path, tmp_path: Path) -> None:
    card = find(graph, task="pose").card
    other = graphs.brightest_pixel(tmp_path / "m.onnx", size=(288, 384))
    with pytest.raises(ModelError, match="the card says 192x256, the graph takes 288x384"):
        Estimator(card, open_backend("ort", other))


def test_a_detector_is_refused(tmp_path: Path) -> None:
    path = graphs.detector(tmp_path / "det.onnx", [[0, 0, 9, 9]], [[0.5]])
    with pytest.raises(ModelError, match="det is a detection model, a pose model was asked"):
        Estimator.load(path)
