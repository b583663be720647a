"""The flip test: the mirrored crop's answer, mirrored back, is averaged in."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np

from posetrack.codecs import SimCC
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
