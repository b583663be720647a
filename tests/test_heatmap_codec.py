"""Heatmaps: encoding and decoding are each other's inverse, in crops cut for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posetrack.codecs import Heatmap
from posetrack.geometry import CropTransform, rotated_crop_matrix, transform_points

SIZE = (192, 256)
BOX = np.array([[100, 50, 220, 330]], np.float32)


@pytest.mark.parametrize("udp", [True, False])
@given(x=st.floats(24, 167), y=st.floats(24, 231))
def test_what_is_encoded_is_decoded(udp: bool, x: float, y: float) -> None:
    codec = Heatmap(SIZE, udp=udp)
    maps, weights = codec.encode(np.array([[[x, y]]]), np.ones((1, 1)))
    assert maps.shape == (1, 1, 64, 48)
    assert weights[0, 0] == 1
    keypoints, scores = codec.decode(maps)
    # UDP counts intervals in, pixels out.
    wanted = np.array([x, y]) * (np.array(SIZE) / (np.array(SIZE) - 1) if udp else 1)
    np.testing.assert_allclose(keypoints[0, 0], wanted, atol=0.02 if udp else 2.01)
    assert 0.9 < scores[0, 0] <= 1


@pytest.mark.parametrize("turn", [0.0, 40.0])
def test_a_udp_crop_brings_a_point_back_to_where_it_was(turn: float) -> None:
    codec = Heatmap(SIZE)
    crops = CropTransform.from_boxes(BOX, SIZE, udp=True)
    point = np.array([[[150.3, 201.7]]], np.float32)
    if turn:
        matrix = rotated_crop_matrix(crops.centers[0], crops.scales[0], turn, SIZE, udp=True)
        back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    else:
        (matrix,) = crops.matrices()
    maps, _ = codec.encode(transform_points(point, matrix), np.ones((1, 1)))
    found, _ = codec.decode(maps)
    if turn:
        shrunk = found[0] * (np.array(SIZE) - 1) / np.array(SIZE)
        np.testing.assert_allclose(transform_points(shrunk, back), point[0], atol=0.05)
    else:
        np.testing.assert_allclose(crops.inverse(found), point, atol=0.05)


def test_the_corners_of_a_udp_crop_are_pixel_centres() -> None:
    crops = CropTransform.from_boxes(BOX, SIZE, 1.0, udp=True)
    low = crops.centers - crops.scales / 2
    high = crops.centers + crops.scales / 2
    (matrix,) = crops.matrices()
    np.testing.assert_allclose(transform_points(low, matrix), [[0, 0]], atol=1e-4)
    np.testing.assert_allclose(transform_points(high, matrix), [[191, 255]], atol=1e-3)


def test_the_scores_are_peaks_and_the_border_is_no_error() -> None:
    codec = Heatmap(SIZE, score_scale=0.5)
    maps = np.zeros((2, 3, 64, 48), np.float32)
    maps[0, 0, 0, 0], maps[0, 1, 63, 47], maps[1, 2] = 0.4, 0.2, -1
    keypoints, scores = codec.decode(maps)
    np.testing.assert_allclose(scores, [[0.8, 0.4, 0], [0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(keypoints[0, :2], [[0, 0], SIZE], atol=1e-3)
    assert np.isfinite(keypoints).all()
    assert codec.decode(maps[:0])[0].shape == (0, 3, 2)


def test_a_keypoint_far_outside_the_crop_is_not_learned() -> None:
    codec = Heatmap(SIZE)
    at = np.array([[[-20.0, 100], [-30, 100], [100, 290], [96, 128]]])
    _, weights = codec.encode(at, np.array([[1, 1, 1, 0.0]]))
    assert weights.tolist() == [[1, 0, 0, 0]]
