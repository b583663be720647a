from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from posetrack.tracking import TrackerSettings, preset
from posetrack.tracking.smoothing import Smoothed, one_euro
from posetrack.types import Floats

SETTINGS = TrackerSettings()


def filtered(signal: Floats, dt_s: float, settings: TrackerSettings, size: float = 1.0) -> Floats:
    """The (T, 2) track of one point."""
    state = Smoothed.start(signal[:1, None], 0.0)
    out = [signal[0]]
    for i, point in enumerate(signal[1:], 1):
        state = one_euro(
            state,
            point[None, None],
            settings,
            dt_s=dt_s,
            now_s=i * dt_s,
            person_px=np.full(1, size, np.float32),
        )
        out.append(state.points[0, 0])
    return np.array(out, np.float32)


def reference(signal: Floats, dt: float, fc_min: float, beta: float, fc_d: float) -> Floats:
    """The formula of FIELD 1.7 / Casiez et al., one number at a time."""

    def alpha(cutoff: float) -> float:
        r = 2 * math.pi * cutoff * dt
        return r / (r + 1)

    x, y = map(float, signal[0])
    vx = vy = 0.0
    out = [(x, y)]
    for zx, zy in signal[1:].tolist():
        a = alpha(fc_d)
        vx = (1 - a) * vx + a * (zx - x) / dt
        vy = (1 - a) * vy + a * (zy - y) / dt
        a = alpha(fc_min + beta * math.hypot(vx, vy))
        x, y = (1 - a) * x + a * zx, (1 - a) * y + a * zy
        out.append((x, y))
    return np.array(out, np.float32)


@pytest.mark.parametrize("dt", [1 / 30, 1 / 7, 1.0])
def test_it_equals_the_formula_worked_point_by_point(dt: float) -> None:
    signal = np.cumsum(np.random.default_rng(0).normal(0, 3, (80, 2)), 0).astype(np.float32)
    settings = replace(SETTINGS, speed_unit="pixels", min_cutoff_hz=1.2, beta=0.05)
    expected = reference(signal, dt, 1.2, 0.05, settings.derivative_cutoff_hz)
    np.testing.assert_allclose(filtered(signal, dt, settings), expected, atol=1e-3)


def test_the_mmdeploy_preset_filters_by_frames() -> None:
    signal = np.cumsum(np.random.default_rng(1).normal(0, 3, (50, 2)), 0).astype(np.float32)
    expected = reference(signal, 1.0, 1.0, 0.007, 1.0)
    np.testing.assert_allclose(filtered(signal, 1.0, preset("mmdeploy")), expected, atol=1e-3)


def test_jitter_at_rest_is_more_than_halved() -> None:
    noise = np.random.default_rng(2).normal(0, 1, (600, 2)).astype(np.float32)
    smooth = filtered(noise, 1 / 30, SETTINGS, size=200)
    assert np.diff(smooth[30:], axis=0).std() < 0.35 * np.diff(noise[30:], axis=0).std()


def test_lag_of_a_fast_motion_is_bounded() -> None:
    size, speed, dt = 200.0, 400.0, 1 / 30  # two person sizes a second
    ramp = np.zeros((60, 2), np.float32)
    ramp[:, 0] = speed * dt * np.arange(60)
    behind = (ramp - filtered(ramp, dt, SETTINGS, size))[:, 0]
    assert behind.max() < 0.12 * size
    assert behind[30:].max() / speed < 0.03  # seconds


def test_near_and_far_people_are_smoothed_alike() -> None:
    signal = np.cumsum(np.random.default_rng(3).normal(0, 2, (60, 2)), 0).astype(np.float32)
    near = filtered(3 * signal, 1 / 30, SETTINGS, size=300)
    np.testing.assert_allclose(near, 3 * filtered(signal, 1 / 30, SETTINGS, size=100), atol=1e-3)


def test_the_frame_rate_hardly_changes_what_is_seen() -> None:
    t = np.arange(0, 3, 1 / 120)
    wave = np.stack([60 * np.sin(2 * np.pi * 0.7 * t), 0 * t], 1).astype(np.float32)
    fine = filtered(wave, 1 / 120, SETTINGS, 200)[::4]
    coarse = filtered(wave[::4], 1 / 30, SETTINGS, 200)
    assert np.abs(fine - coarse).max() < 5


def measure(state: Smoothed, x: float, now_s: float, weight: float, shift: float = 0) -> Smoothed:
    return one_euro(
        state,
        np.array([[[x, 0]]], np.float32),
        SETTINGS,
        dt_s=1 / 30,
        now_s=now_s,
        person_px=np.full(1, 100, np.float32),
        weights=np.full((1, 1), weight, np.float32),
        shift=np.array([[shift, 0]], np.float32),
    )


def test_a_keypoint_without_confidence_drags_nothing_and_moves_with_the_person() -> None:
    state = Smoothed.start(np.zeros((1, 1, 2), np.float32), 0.0)
    for i in range(5):
        state = measure(state, 500.0, i / 30, weight=0.0, shift=2.0)
    np.testing.assert_allclose(state.points[0, 0], [10, 0], atol=1e-4)


def test_a_keypoint_that_comes_back_late_starts_anew() -> None:
    state = Smoothed.start(np.zeros((1, 1, 2), np.float32), 0.0)
    state = measure(state, 80.0, 1.0, weight=1.0)
    np.testing.assert_allclose(state.points[0, 0], [80, 0])
    assert not state.speeds.any()
