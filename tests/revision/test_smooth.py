"""Offline smoothing: no lag, the promised frequency response, gaps filled, raw kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from revision.paths import FPS, line, recording, walker
from scipy.signal import butter, filtfilt

from posetrack.records import LOST, Recording, Sightings
from posetrack.revision.smooth import Curve, smooth_offline


def shaken(rows: Sightings, by: np.ndarray, *, live_lag: float = 0.0) -> Sightings:
    """The same person with raw keypoints moved by (N, 2), smoothed ones and boxes lagging."""
    moved = (rows.raw + by[:, None]).astype(np.float32)
    late = np.float32([live_lag, 0])
    return replace(rows, raw=moved, keypoints=moved - late, boxes=rows.boxes - np.tile(late, 2))


def noisy(n: int = 200, *, sigma: float = 3.0) -> tuple[Recording, Recording]:
    """A walker as he went, and as a shaky network saw him."""
    truth = walker(1, line(50, 200, 20, 10), np.arange(n))
    noise = np.random.default_rng(3).normal(0, sigma, (n, 2))
    return recording([truth], n), recording([shaken(truth, noise, live_lag=4.0)], n)


def test_noise_shrinks_and_nothing_lags() -> None:
    truth, seen = noisy()
    found = smooth_offline(seen, cutoff_hz=2.0)
    before = np.std(seen.rows.raw - truth.rows.raw)
    after = np.std(found.rows.keypoints - truth.rows.keypoints)
    assert after < 0.5 * before
    assert np.abs((found.rows.keypoints - truth.rows.keypoints).mean(axis=(0, 1))).max() < 0.5
    assert np.abs((found.rows.boxes - truth.rows.boxes).mean(axis=0)).max() < 0.7


def test_raw_stays_and_the_original_is_untouched() -> None:
    _, seen = noisy()
    keypoints = seen.rows.keypoints.copy()
    found = smooth_offline(seen)
    assert np.array_equal(found.rows.raw, seen.rows.raw)
    assert np.array_equal(seen.rows.keypoints, keypoints)


@pytest.mark.parametrize("cutoff_hz", [1.0, 3.0, 6.0])
def test_the_cutoff_is_halved_and_slow_motion_is_kept(cutoff_hz: float) -> None:
    t = np.arange(1000) / 100
    for frequency, share in ((cutoff_hz / 4, 1 / (1 + 0.25**4)), (cutoff_hz, 0.5)):
        wave = np.cos(2 * np.pi * frequency * t)[:, None]
        found = Curve(t, cutoff_hz).through(wave, np.ones(1000))[200:800]
        assert np.abs(found).max() == pytest.approx(share, abs=0.01)


def test_it_is_the_butterworth_filter_of_the_laboratories() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(2000) / 200
    path = np.cumsum(rng.normal(size=2000))[:, None]
    found = Curve(t, 6.0).through(path, np.ones(2000))[300:-300, 0]
    # Two passes of second order: each gives 1 / sqrt(1 + r^4), together 1 / (1 + r^4).
    b, a = butter(2, 6.0, fs=200)
    wanted = filtfilt(b, a, path[:, 0])[300:-300]
    assert np.abs(found - wanted).max() < 0.02 * np.ptp(path)


def test_uneven_times_are_respected() -> None:
    t = np.cumsum(np.random.default_rng(5).uniform(0.01, 0.08, 300))
    straight = np.stack([100 + 50 * t, 30 - 20 * t], axis=1)
    found = Curve(t, 2.0).through(straight, np.ones(300))
    assert np.allclose(found, straight, atol=1e-2), "constant speed has nothing to smooth"


def test_faint_keypoints_follow_their_neighbours() -> None:
    truth = walker(1, line(50, 200, 20), np.arange(60))
    raw, scores = truth.raw.copy(), truth.scores.copy()
    raw[30, 5] += 200
    scores[30, 5] = 0.05
    found = smooth_offline(recording([replace(truth, raw=raw, scores=scores)], 60)).rows
    assert np.abs(found.keypoints[30, 5] - truth.raw[30, 5]).max() < 3


def test_short_gaps_are_filled_and_marked() -> None:
    path = line(50, 200, 60)
    frames = np.array([*range(30), *range(40, 70)])
    found = smooth_offline(recording([walker(1, path, frames)], 80)).rows
    assert found.frame.tolist() == list(range(70))
    gap = found[(found.frame >= 30) & (found.frame < 40)]
    assert (gap.states == LOST).all()
    wanted = walker(1, path, np.arange(30, 40))
    assert np.abs(gap.keypoints - wanted.keypoints).max() < 1
    assert np.abs(gap.boxes - wanted.boxes).max() < 1
    assert (gap.scores < 0.5).all()


def test_long_gaps_stay_and_each_side_is_smoothed_alone() -> None:
    frames = np.array([*range(30), *range(60, 90)])
    found = smooth_offline(recording([walker(1, line(50, 200, 60), frames)]), fill_gap_s=0.5)
    assert found.track(1).frame.tolist() == frames.tolist()


def test_twice_is_as_good_as_once() -> None:
    _, seen = noisy()
    once = smooth_offline(seen)
    twice = smooth_offline(once)
    assert np.allclose(once.rows.keypoints, twice.rows.keypoints)
    assert np.abs(once.rows.boxes - twice.rows.boxes).max() < 2


def test_few_frames_and_low_rates_are_left_as_they_are() -> None:
    two = recording([walker(1, line(50, 200, 60), np.arange(2))], 2)
    assert np.array_equal(smooth_offline(two).rows.keypoints, two.rows.keypoints)
    slow = recording([walker(1, line(50, 200, 60), np.arange(30), fps=5)], 30, fps=5)
    found = smooth_offline(slow, cutoff_hz=6.0)  # above half of 5 frames a second
    assert np.array_equal(found.rows.keypoints, slow.rows.raw)
    assert FPS / 2 > 6.0
