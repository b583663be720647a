"""One-Euro smoothing of many points at once, in seconds and hertz."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from posetrack.tracking.rows import Rows
from posetrack.tracking.settings import TrackerSettings
from posetrack.types import Floats, Ints


@dataclass(slots=True)
class Smoothed(Rows):
    """Filter state of N people with P points each.

    Attributes:
        points: (N, P, 2) filtered positions.
        speeds: (N, P, 2) filtered velocities, px/s.
        seen_s: (N, P) when a point was last measured with confidence.
    """

    points: Floats
    speeds: Floats
    seen_s: npt.NDArray[np.float64]

    @classmethod
    def start(cls, points: Floats, now_s: float) -> Self:
        """Filters at rest on their first measurement."""
        return cls(points.copy(), np.zeros_like(points), np.full(points.shape[:2], now_s))


def _gain(cutoff_hz: Floats | float, dt_s: float) -> Floats | float:
    """Weight of the new value in a first-order low-pass filter."""
    ratio = (2 * math.pi * dt_s) * cutoff_hz
    return ratio / (ratio + 1)


def one_euro(
    state: Smoothed,
    measured: Floats,
    settings: TrackerSettings,
    *,
    dt_s: float,
    now_s: float,
    person_px: Floats,
    weights: Floats | None = None,
    shift: Floats | None = None,
) -> Smoothed:
    """The state after one more measurement (N, P, 2).

    One cutoff per point from the 2-norm of its velocity, so x and y are filtered alike. The
    difference is taken to the filtered value. Source: Casiez et al., CHI 2012, and MMDeploy's
    ``SmoothingFilter``, which this equals with ``dt_s=1`` and speeds in pixels.

    Args:
        person_px: (N,) sizes that speeds are measured in.
        weights: (N, P) in [0, 1], confidence in each measurement; 0 leaves the point where it is.
        shift: (N, 2) how far the person moved, followed by points without confidence.
    """
    before, speeds = state.points, state.speeds
    seen_s = state.seen_s
    if weights is not None and shift is not None:
        before = before + (1 - weights)[..., None] * shift[:, None]
    offset = measured - before
    gain = np.float32(_gain(settings.derivative_cutoff_hz, dt_s))
    change = gain * (offset / np.float32(dt_s) - speeds)
    speeds = speeds + (change if weights is None else change * weights[..., None])
    squares = speeds * speeds
    pace = np.asarray(np.sqrt(squares[..., 0] + squares[..., 1]), np.float32)
    if settings.speed_unit == "person":
        pace /= np.maximum(person_px, 1)[:, None]
    gains = _gain(settings.min_cutoff_hz + settings.beta * pace, dt_s)
    if weights is not None:
        gains = gains * weights
        sure = weights >= 1
        stale = sure & (now_s - seen_s > settings.smoothing_reset_s + dt_s)
        if stale.any():
            gains, speeds = np.where(stale, 1, gains), np.where(stale[..., None], 0, speeds)
        seen_s = np.where(sure, now_s, seen_s)
    points = before + np.asarray(gains, np.float32)[..., None] * offset
    return Smoothed(points, np.asarray(speeds, np.float32), seen_s)


class SmootherById:
    """One-Euro filters for points that the tracker does not look at, such as depths or fingers.

    Whoever was not seen in the frame before starts anew.
    """

    def __init__(self) -> None:
        self._ids = np.zeros(0, np.int64)
        self._state: Smoothed | None = None

    def __call__(
        self,
        ids: Ints,
        points: Floats,
        scores: Floats,
        settings: TrackerSettings,
        *,
        dt_s: float,
        now_s: float,
        person: Floats,
    ) -> Floats:
        """(T, P, 2) smoothed points.

        Args:
            ids: (T,) who is seen, rising.
            points: (T, P, 2) as the network gave them, in any unit.
            scores: (T, P).
            settings: of the tracker, with its keypoint threshold.
            dt_s: seconds since the frame before.
            now_s: the time.
            person: (T,) how large a person is in the unit of the points.
        """
        if settings.smoothing == "none":
            return points
        state = Smoothed.start(points, now_s)
        if self._state is not None:
            _, mine, before = np.intersect1d(ids, self._ids, return_indices=True)
            weights = None
            if settings.confidence_weighting:
                sure = scores[mine] / max(settings.keypoint_threshold or 0, 1e-6)
                weights = np.asarray(np.minimum(sure, 1) ** 2, np.float32)
            state[mine] = one_euro(
                self._state[before],
                points[mine],
                settings,
                dt_s=dt_s,
                now_s=now_s,
                person_px=person[mine],
                weights=weights,
            )
        self._ids, self._state = ids.copy(), state
        return state.points.copy()
