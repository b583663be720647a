"""Where people will be: a Kalman filter of boxes and the velocity of keypoints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from posetrack.tracking.rows import Rows
from posetrack.types import Bools, Floats

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of a constant-velocity filter, in units of the thing's own size."""

    measured: float
    position: float
    velocity: float
    initial_speed: float


@dataclass(slots=True)
class ConstantVelocity(Rows):
    """N Kalman filters of D coordinates that each move at a constant velocity.

    The coordinates of one filter are independent and equally noisy, so one 2x2 covariance serves
    them all; this equals filterpy's ``KalmanFilter`` with a state of 2D and is some hundred times
    faster for a frame of people. Process noise is diagonal, as in MMDeploy's ``TrackingFilter``;
    here it grows with time instead of with frames.

    Attributes:
        position: (N, D).
        velocity: (N, D) per second.
        covariance: (N, 3) variance of position, covariance, variance of velocity.
    """

    position: Doubles
    velocity: Doubles
    covariance: Doubles

    @classmethod
    def start(cls, measured: Doubles, size: Doubles, noise: Noise) -> Self:
        """Filters at rest on a first measurement of things of `size` (N,)."""
        spread = np.array([4 * noise.measured**2, 0, noise.initial_speed**2])
        return cls(measured, np.zeros_like(measured), size[:, None] ** 2 * spread)

    def predicted(self, dt_s: float, size: Doubles, noise: Noise) -> Self:
        """The filters `dt_s` later."""
        pp, pv, vv = self.covariance.T
        growth = size[:, None] ** 2 * (dt_s * np.array([noise.position**2, 0, noise.velocity**2]))
        moved = np.stack([pp + dt_s * (2 * pv + dt_s * vv), pv + dt_s * vv, vv], axis=1)
        position = self.position + dt_s * self.velocity
        return type(self)(position, self.velocity, moved + growth)

    def corrected(self, measured: Doubles, size: Doubles, noise: Noise) -> Self:
        """The filters after a measurement (N, D)."""
        pp, pv, vv = self.covariance.T
        spread = pp + (noise.measured * size) ** 2
        gain, speed_gain = pp / spread, pv / spread
        offset = measured - self.position
        covariance = np.stack([(1 - gain) * pp, (1 - gain) * pv, vv - speed_gain * pv], axis=1)
        return type(self)(
            self.position + gain[:, None] * offset,
            self.velocity + speed_gain[:, None] * offset,
            covariance,
        )


def to_centres(boxes: Floats) -> Doubles:
    """xyxy boxes (N, 4) -> centre x, centre y, width, height."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + sides / 2, sides], axis=1, dtype=np.float64)


def from_centres(rows: npt.NDArray[np.floating]) -> Floats:
    """Centre x, centre y, width, height (N, 4) -> xyxy boxes; sides of at least 1 px."""
    half = np.maximum(rows[:, 2:], 1) / 2
    return np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1, dtype=np.float32)


def person_sizes(rows: npt.NDArray[np.floating]) -> Doubles:
    """(N,) geometric mean of width and height of centre rows (N, 4); at least 1 px."""
    sides = np.maximum(rows[:, 2:], 1)
    return np.asarray(np.sqrt(sides[:, 0] * sides[:, 1]), np.float64)


def body_velocity(
    velocity: Floats, before: Floats, now: Floats, both: Bools, *, dt_s: float, time_s: float
) -> Floats:
    """(N, 2) px/s: the running mean of how the visible keypoints moved.

    Keypoints in common, not boxes, are compared: a box jumps when legs come into view.

    Args:
        velocity: (N, 2) until now.
        before: (N, K, 2) keypoints of the last frame; `now` those of this one.
        both: (N, K) keypoints visible in both.
        time_s: time constant of the mean.
    """
    count = both.sum(axis=1, keepdims=True)
    moved = np.einsum("nkc,nk->nc", now - before, both) / np.maximum(count, 1) / dt_s
    gain = np.where(count > 0, 1 - math.exp(-dt_s / time_s), 0)
    return np.asarray(velocity + gain * (moved - velocity), np.float32)
