from __future__ import annotations

import numpy as np
import pytest

from posetrack.pipeline import Samples, Spread


def test_percentiles_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    seconds = rng.exponential(0.01, 1000)
    samples = Samples()
    for value in seconds:
        samples.add(float(value))
    spread = samples.spread()
    assert spread.count == 1000
    assert spread.total_s == pytest.approx(seconds.sum())
    assert spread.mean_ms == pytest.approx(seconds.mean() * 1e3)
    assert spread.max_ms == pytest.approx(seconds.max() * 1e3)
    wanted = np.percentile(seconds * 1e3, (50, 95, 99))
    assert (spread.p50_ms, spread.p95_ms, spread.p99_ms) == pytest.approx(wanted)


def test_no_samples_give_zeros() -> None:
    assert Samples().spread() == Spread()


def test_memory_stays_flat_and_the_totals_stay_true() -> None:
    samples = Samples(window=10)
    for n in range(1, 101):
        samples.add(n / 1000)
    spread = samples.spread()
    assert spread.count == 100
    assert spread.mean_ms == pytest.approx(50.5)
    assert spread.max_ms == pytest.approx(100)
    assert spread.p50_ms == pytest.approx(95.5)  # of the last ten
