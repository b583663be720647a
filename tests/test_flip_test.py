"""The flip test: the mirrored crop's answer, mirrored back, is averaged in."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest

from posetrack.codecs import Heatmap, SimCC
from posetrack.estimator import Estimator
from posetrack.skeletons import load_skeleton

COCO = load_skeleton("coco")


def test_a_mirrored_answer_falls_on_the_same_bins() -> None:
    codec = SimCC((96, 128))
    rng = np.random.default_rng(0)
    keypoints = rng.integers(3, 90, (2, 17, 2)).astype(np.float32)
    mirrored = keypoints[:, COCO.flip_order].copy()
    mirrored[..., 0] = 95 - mirrored[..., 0]
    seen = np.ones((2, 17), np.float32)
    plain, other = (codec.encode(k, seen)[:2] for k in (keypoints, mirrored))
    for one, two in zip(plain, codec.average(plain, other, COCO.flip_order), strict=True):
        np.testing.assert_allclose(two[..., :-1], one[..., :-1], atol=1e-6)


def test_left_and_right_are_swapped_back() -> None:
    codec = SimCC((96, 128))
    zeros = tuple(np.zeros((1, 17, n), np.float32) for n in codec.bins)
    marked = tuple(z.copy() for z in zeros)
    marked[0][0, COCO.keypoints.index("left_wrist"), 10] = 1
    x, y = codec.average(zeros, marked, COCO.flip_order)  # type: ignore[arg-type]
    found = np.argwhere(x == x.max())
    assert found.tolist() == [[0, COCO.keypoints.index("right_wrist"), 192 - 2 - 10]]
    assert x.max() == 0.5
    assert not y.any()


def test_a_network_that_sees_no_sides_says_the_same_with_and_without(tmp_path: Path) -> None:
    graph = graphs.brightest_pixel(tmp_path / "pose.onnx")
    image = np.zeros((480, 640, 3), np.uint8)
    image[150, 200] = 255
    boxes = [[150, 100, 250, 250]]
    plain = Estimator.load(graph)(image, boxes)
    flipped = Estimator.load(graph, flip_test=True)(image, boxes)
    np.testing.assert_allclose(flipped.keypoints, plain.keypoints, atol=0.6)


@pytest.mark.parametrize("udp", [True, False])
def test_averaged_heatmaps_of_a_mirrored_person_stay_where_the_person_is(udp: bool) -> None:
    codec = Heatmap((64, 64), udp=udp)
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(12, 52, (1, 17, 2)).astype(np.float32)
    mirrored = keypoints[:, COCO.flip_order].copy()
    mirrored[..., 0] = 63 - mirrored[..., 0]
    visible = np.ones((1, 17), np.float32)
    (plain, _), (other, _) = (codec.encode(k, visible) for k in (keypoints, mirrored))
    (both,) = codec.average([plain], [other], COCO.flip_order)
    moved = np.abs(codec.decode(both)[0] - codec.decode(plain)[0]).max()
    assert moved < (0.1 if udp else 0.6 * codec.stride)
