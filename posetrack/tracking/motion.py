"""Where people will be: Kalman filters of boxes and keypoints, and the velocity of a body."""

from __future__ import annotations

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
    """Kalman filters of D coordinates that each move at a constant velocity: N, or N x K.

    The coordinates of one filter are independent and equally noisy, so one 2x2 covariance serves
    them all; this equals filterpy's ``KalmanFilter`` with a state of 2D and is some hundred times
    faster for a frame of people. Process noise is diagonal, as in MMDeploy's ``TrackingFilter``;
    here it grows with time instead of with frames.

    Attributes:
        position: (N, ..., D).
        velocity: (N, ..., D) per second.
        spread: (N, ...) variance of the position.
        coupling: (N, ...) covariance of position and velocity.
        speed_spread: (N, ...) variance of the velocity.
    """

    position: Doubles
    velocity: Doubles
    spread: Doubles
    coupling: Doubles
    speed_spread: Doubles

    @classmethod
    def start(cls, measured: Doubles, size: Doubles, noise: Noise) -> Self:
        """Filters at rest on a first measurement of things of `size` (N,), or (N, 1) of N x K."""
        area = size * size + np.zeros(measured.shape[:-1])
        spread = area * (2 * noise.measured) ** 2
        still = np.zeros_like(measured)
        return cls(measured, still, spread, np.zeros_like(area), area * noise.initial_speed**2)

    def predicted(self, dt_s: float | Doubles, size: Doubles, noise: Noise) -> Self:
        """The filters `dt_s` later, a number or of the shape of `size`."""
        area = size * size * dt_s
        turned = dt_s * self.speed_spread
        coupling = self.coupling + turned
        step = dt_s[..., None] if isinstance(dt_s, np.ndarray) else dt_s
        return type(self)(
            self.position + step * self.velocity,
            self.velocity,
            self.spread + dt_s * (self.coupling + coupling) + area * noise.position**2,
            coupling,
            self.speed_spread + area * noise.velocity**2,
        )

    def corrected(
        self, measured: Doubles, size: Doubles, noise: Noise, *, seen: Bools | None = None
    ) -> Self:
        """The filters after a measurement (N, ..., D), which only the `seen` (N, ...) had."""
        total = self.spread + (noise.measured * size) ** 2
        gain, speed_gain = self.spread / total, self.coupling / total
        if seen is not None:
            gain, speed_gain = gain * seen, speed_gain * seen
        offset = measured - self.position
        return type(self)(
            self.position + gain[..., None] * offset,
            self.velocity + speed_gain[..., None] * offset,
            (1 - gain) * self.spread,
            (1 - gain) * self.coupling,
            self.speed_spread - speed_gain * self.coupling,
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
    velocity: Floats, before: Floats, now: Floats, both: Bools, *, dt_s: Doubles, time_s: float
) -> Floats:
    """(N, 2) px/s: the running mean of how the visible keypoints moved.

    Keypoints in common, not boxes, are compared: a box jumps when legs come into view.

    Args:
        velocity: (N, 2) until now.
        before: (N, K, 2) keypoints when last seen; `now` those of this frame.
        both: (N, K) keypoints visible in both.
        dt_s: (N,) since the keypoints `before`, which may be some frames ago.
        time_s: time constant of the mean.
    """
    count, dt = both.sum(axis=1, keepdims=True), dt_s[:, None]
    total = (both[:, None].astype(np.float32) @ (now - before))[:, 0]
    moved = total / np.maximum(count, 1) / dt
    gain = np.where(count > 0, 1 - np.exp(-dt / time_s), 0)
    return np.asarray(velocity + gain * (moved - velocity), np.float32)
