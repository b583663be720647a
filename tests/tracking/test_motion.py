from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from posetrack.tracking.motion import (
    ConstantVelocity,
    Noise,
    body_velocity,
    from_centres,
    person_sizes,
    to_centres,
)

NOISE = Noise(measured=0.05, position=0.27, velocity=1.0, initial_speed=1.9)


@pytest.mark.filterwarnings("ignore")  # filterpy's own, on import
def test_the_filter_equals_filterpy() -> None:
    from filterpy.kalman import KalmanFilter

    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.2, 40))
    measured = np.cumsum(rng.normal(0, 5, (40, 3, 4)), 0) + np.array([100, 100, 80, 200])
    sizes = person_sizes(measured[0])
    ours = ConstantVelocity.start(measured[0], sizes, NOISE)
    theirs = []
    for i, m in enumerate(sizes):
        kf = KalmanFilter(8, 4)
        kf.x[:4, 0] = measured[0, i]
        kf.P = np.diag([(2 * 0.05 * m) ** 2] * 4 + [(1.9 * m) ** 2] * 4)
        kf.H = np.eye(4, 8)
        theirs.append(kf)
    for step, (before, now) in enumerate(pairwise(times), 1):
        dt = now - before
        sizes = person_sizes(ours.position)
        ours = ours.predicted(dt, sizes, NOISE)
        seen = step % 5 != 0
        for i, (kf, m) in enumerate(zip(theirs, sizes, strict=True)):
            kf.F = np.eye(8) + dt * np.eye(8, k=4)
            kf.Q = dt * np.diag([(0.27 * m) ** 2] * 4 + [m**2] * 4)
            kf.predict()
            np.testing.assert_allclose(ours.position[i], kf.x[:4, 0])
            if seen:
                kf.R = np.eye(4) * (0.05 * person_sizes(ours.position[i : i + 1])[0]) ** 2
                kf.update(measured[step, i])
        if seen:
            ours = ours.corrected(measured[step], person_sizes(ours.position), NOISE)
        for i, kf in enumerate(theirs):
            np.testing.assert_allclose(ours.position[i], kf.x[:4, 0])
            np.testing.assert_allclose(ours.velocity[i], kf.x[4:, 0], atol=1e-9)
            np.testing.assert_allclose(ours.spread[i], kf.P[0, 0])
            np.testing.assert_allclose(ours.coupling[i], kf.P[0, 4])
            np.testing.assert_allclose(ours.speed_spread[i], kf.P[4, 4])


@pytest.mark.filterwarnings("ignore")  # filterpy's own, on import
def test_filters_of_keypoints_equal_filterpy_each_with_what_was_seen_of_it() -> None:
    from filterpy.kalman import KalmanFilter

    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.01, 0.2, (30, 2)), axis=0)  # people of different age
    measured = np.cumsum(rng.normal(0, 4, (30, 2, 5, 2)), axis=0) + 100
    seen = rng.random((30, 2, 5)) < 0.7
    sizes = np.array([80.0, 150.0])[:, None]
    ours = ConstantVelocity.start(measured[0], sizes, NOISE)
    theirs = {(i, k): KalmanFilter(4, 2) for i in range(2) for k in range(5)}
    for (i, k), kf in theirs.items():
        kf.x[:2, 0], kf.H = measured[0, i, k], np.eye(2, 4)
        kf.P = np.diag([(2 * 0.05) ** 2] * 2 + [1.9**2] * 2) * sizes[i, 0] ** 2
        kf.R = np.eye(2) * (0.05 * sizes[i, 0]) ** 2
    for step in range(1, len(times)):
        dt = times[step] - times[step - 1]
        ours = ours.predicted(dt[:, None], sizes, NOISE)
        ours = ours.corrected(measured[step], sizes, NOISE, seen=seen[step])
        for (i, k), kf in theirs.items():
            kf.F = np.eye(4) + dt[i] * np.eye(4, k=2)
            kf.Q = dt[i] * np.diag([0.27**2] * 2 + [1.0] * 2) * sizes[i, 0] ** 2
            kf.predict()
            if seen[step, i, k]:
                kf.update(measured[step, i, k])
            np.testing.assert_allclose(ours.position[i, k], kf.x[:2, 0])
            np.testing.assert_allclose(ours.velocity[i, k], kf.x[2:, 0], atol=1e-9)
            np.testing.assert_allclose(ours.spread[i, k], kf.P[0, 0])
            np.testing.assert_allclose(ours.coupling[i, k], kf.P[0, 2])
            np.testing.assert_allclose(ours.speed_spread[i, k], kf.P[2, 2])


def test_boxes_survive_the_way_to_centres_and_back() -> None:
    boxes = np.array([[0, 10, 30, 50], [5, 5, 6, 9]], np.float32)
    np.testing.assert_array_equal(from_centres(to_centres(boxes)), boxes)
    assert len(to_centres(boxes[:0])) == 0


def test_a_box_that_shrinks_to_nothing_stays_a_pixel() -> None:
    np.testing.assert_allclose(from_centres(np.array([[5.0, 5, -3, 0]])), [[4.5, 4.5, 5.5, 5.5]])


def test_the_bodys_velocity_is_that_of_the_keypoints_seen_twice() -> None:
    before, now = np.zeros((1, 3, 2), np.float32), np.full((1, 3, 2), 2, np.float32)
    now[0, 2] = 900
    both = np.array([[True, True, False]])
    velocity = np.zeros((1, 2), np.float32)
    for _ in range(100):
        velocity = body_velocity(
            velocity, before, now, both, dt_s=np.full(len(before), 0.1), time_s=0.1
        )
    np.testing.assert_allclose(velocity, [[20, 20]], rtol=1e-4)
    unseen = body_velocity(
        velocity, before, now, ~both & False, dt_s=np.full(len(before), 0.1), time_s=0.1
    )
    np.testing.assert_array_equal(unseen, velocity)
