"""SimCC: labels and what they decode to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posetrack.codecs import SimCC

SIZE = (192, 256)
inside = st.floats(0, 191), st.floats(0, 255)


@given(*inside)
def test_what_is_encoded_is_decoded_to_half_a_bin(x: float, y: float) -> None:
    codec = SimCC(SIZE)
    label_x, label_y, weights = codec.encode(np.array([[[x, y]]]), np.ones((1, 1)))
    assert (label_x.shape, label_y.shape) == ((1, 1, 384), (1, 1, 512))
    assert weights.item() == 1
    keypoints, scores = codec.decode(label_x, label_y)
    np.testing.assert_allclose(keypoints[0, 0], (x, y), atol=0.2501)
    assert scores.item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("size", "sigma"),
    [((192, 256), (4.9, 5.66)), ((256, 256), (5.66, 5.66)), ((288, 384), (6.0, 6.93))],
)
def test_label_widths_are_the_published_ones_and_others_follow(
    size: tuple[int, int], sigma: tuple[float, float]
) -> None:
    assert SimCC(size).label_sigma == sigma
    scaled = tuple(5.66 * (side / 256) ** 0.5 for side in size)
    assert scaled == pytest.approx(sigma, abs=0.04)
    assert SimCC((1024, 1024)).label_sigma == pytest.approx((11.32, 11.32))
    assert SimCC(size, sigma=(3, 4)).label_sigma == (3, 4)


def test_a_keypoint_beyond_the_label_is_not_learned() -> None:
    at = np.array([[[-7.0, 100], [-8, 100], [100, 263], [100, 265], [90, 90]]])
    _, _, weights = SimCC(SIZE).encode(at, np.array([[1, 1, 1, 1, 0.4]]))
    assert weights.tolist() == [[1, 0, 1, 0, 0]]


def test_the_score_is_the_lower_peak_over_the_scale_and_never_below_zero() -> None:
    x, y = np.zeros((1, 3, 384), np.float32), np.zeros((1, 3, 512), np.float32)
    x[0, :, 20], y[0, :, 40] = (0.6, -0.1, 5), (0.4, 0.7, 9)
    x[0, 1] -= 0.1
    keypoints, scores = SimCC(SIZE, score_scale=0.8).decode(x, y)
    np.testing.assert_allclose(scores, [[0.5, 0, 1]], atol=1e-6)
    assert keypoints[0, 0].tolist() == [10, 20]
    assert np.isfinite(keypoints).all()


def test_nobody_is_an_empty_answer() -> None:
    codec = SimCC(SIZE)
    keypoints, scores = codec.decode(np.zeros((0, 17, 384)), np.zeros((0, 17, 512)))
    assert keypoints.shape == (0, 17, 2)
    assert scores.shape == (0, 17)
