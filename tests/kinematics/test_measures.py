"""Speeds, ranges, symmetry and scale."""

from __future__ import annotations

import numpy as np
import pytest

from posetrack.errors import ConfigError
from posetrack.kinematics import measures
from posetrack.skeletons import load_skeleton

COCO = load_skeleton("coco")


def test_speed_is_that_of_even_motion_whatever_the_frame_rate() -> None:
    times_s = np.array([0.0, 0.1, 0.15, 0.4, 0.5])
    positions = np.stack([30 * times_s, 40 * times_s], axis=-1)
    assert np.allclose(measures.speeds(positions, times_s), 50)


def test_speed_beside_a_gap_takes_the_other_side() -> None:
    times_s = np.arange(6) / 10
    positions = np.stack([10 * times_s, np.zeros(6)], axis=-1)
    positions[2] = positions[4] = np.nan
    found = measures.speeds(positions, times_s)
    assert np.allclose(found[[0, 1, 3]][:2], 10)
    assert np.isnan(found[[2, 3, 4, 5]]).all()


def test_range_of_motion_leaves_out_the_extremes() -> None:
    values = np.concatenate([np.linspace(0, 100, 101), [np.nan]])
    assert measures.range_of_motion(values) == pytest.approx(90)
    assert np.isnan(measures.range_of_motion([np.nan]))


@pytest.mark.parametrize(("left", "right", "percent"), [(50, 50, 0), (40, 60, 40), (60, 40, -40)])
def test_symmetry_index_says_how_far_right_exceeds_left(
    left: float, right: float, percent: float
) -> None:
    assert measures.symmetry_index(left, right) == pytest.approx(percent)


def test_a_scale_needs_legs() -> None:
    with pytest.raises(ConfigError, match="legs are seen in 0 frames, 5 are needed"):
        measures.px_per_m(COCO, np.zeros((9, 17, 2)), np.zeros((9, 17)), 1.8)
