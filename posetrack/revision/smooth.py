"""Smoothing that sees the future as well as the past: no lag, and gaps are filled.

Each coordinate of a track becomes the curve that minimises the sum of squared residuals, weighted
by the keypoint's scores, plus a penalty on its second derivative (Whittaker, 1923; a discrete
smoothing spline). On evenly spaced frames of equal weight its frequency response is ``1 / (1 + (f /
cutoff)^4)``, that of the Butterworth filter run forwards and backwards that biomechanics uses
(second order, twice; Winter, Biomechanics and Motor Control of Human Movement, 2009), and it needs
neither even spacing nor a value in every frame.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from posetrack.records import LOST, Recording, Sightings
from posetrack.types import Floats

Doubles = npt.NDArray[np.float64]

CUTOFF_HZ = 6.0
"""What gait laboratories smooth markers with."""
FILL_GAP_S = 0.5
VISIBLE = 0.3
"""Score of a keypoint that counts fully, where the recording does not say it."""
_FEWEST = 3  # a second difference needs as many
_STEEP = 4
"""Power by which the weight falls below the visible score: a wild guess must not pull."""
_LEAST_WEIGHT = 1e-3
"""Of a keypoint that was not found: its neighbours in time decide, but the sums stay solvable."""
_FAINT = 0.5
"""Share of the neighbours' scores that a filled-in keypoint gets."""


def smooth_offline(
    recording: Recording,
    *,
    cutoff_hz: float = CUTOFF_HZ,
    fill_gap_s: float = FILL_GAP_S,
    visible: float = VISIBLE,
) -> Recording:
    """The recording with keypoints and boxes smoothed without lag, and short gaps filled.

    Raw keypoints stay as they are; in the frames of a filled gap, whose people are ``lost``, there
    are none and the smoothed ones stand in.

    Args:
        cutoff_hz: frequency that is halved.
        fill_gap_s: longest gap that is filled; over longer ones a track is smoothed in pieces.
        visible: score from which a keypoint counts fully.
    """
    parts = []
    for track_id in recording.ids():
        rows = recording.track(track_id)
        rows = rows[rows.states != LOST]
        times_s = recording.times_of(rows)
        parts += [
            _smoothed(recording, rows[piece], cutoff_hz, visible)
            for piece in _pieces(times_s, fill_gap_s)
        ]
    if not parts:
        return recording
    return recording.with_rows(parts[0].joined(parts[1:]))


def _pieces(times_s: Doubles, fill_gap_s: float) -> list[slice]:
    """Runs of rows without a gap that is too long."""
    ends = [0, *(np.flatnonzero(np.diff(times_s) > fill_gap_s + 1e-9) + 1).tolist(), len(times_s)]
    return [slice(a, b) for a, b in pairwise(ends) if b > a]


def _smoothed(recording: Recording, rows: Sightings, cutoff_hz: float, visible: float) -> Sightings:
    """One run of rows after smoothing, a row for every frame between its ends."""
    if len(rows) < _FEWEST:
        return rows
    first, last = np.searchsorted(recording.frames, rows.frame[[0, -1]])
    frames = recording.frames[first : last + 1]
    at_s = recording.times_s[first : last + 1]
    known_s = recording.times_of(rows)
    if not (np.diff(known_s) > 0).all():  # time stands still: nothing can be said about speed
        return rows
    before = np.searchsorted(rows.frame, frames, "right") - 1
    filled = rows[before]
    seen = filled.frame == frames
    curve = Curve(at_s, cutoff_hz)
    sure = np.clip(filled.scores / max(visible, 1e-6), 0, 1) ** _STEEP
    sure = np.maximum(sure, _LEAST_WEIGHT) * seen[:, None]
    values = filled.raw
    if filled.depths is not None:
        values = np.concatenate([values, filled.depths[..., None]], axis=-1)
    points = np.stack(
        [curve.through(values[:, k], sure[:, k]) for k in range(sure.shape[1])], axis=1
    )
    keypoints = np.ascontiguousarray(points[..., :2])
    # Recorded boxes are those that were smoothed live: they lag as far as the keypoints did.
    lag = ((filled.raw - filled.keypoints) * sure[..., None]).sum(axis=1)
    lag /= np.maximum(sure.sum(axis=1), 1e-6)[:, None]
    boxes = curve.through(filled.boxes + np.tile(lag, 2), seen)
    scores = _between(known_s, rows.scores, at_s)
    scores[~seen] *= np.float32(_FAINT)
    raw = np.where(seen[:, None, None], filled.raw, keypoints)
    return replace(
        filled,
        frame=frames,
        boxes=boxes,
        states=np.where(seen, filled.states, LOST).astype("<U7"),
        keypoints=keypoints,
        scores=scores,
        raw=raw,
        depths=None if filled.depths is None else points[..., 2],
    )


class Curve:
    """Smooth curves through values at given times.

    Args:
        times_s: (N,) rising, three or more.
        cutoff_hz: frequency that is halved; from half the frame rate on nothing is smoothed.
    """

    def __init__(self, times_s: Doubles, cutoff_hz: float) -> None:
        steps = np.diff(times_s)
        dt_s = float(np.median(steps))
        # What a second difference makes of a wave is not its frequency squared but this.
        speed = 2 / dt_s * math.sin(math.pi * min(cutoff_hz * dt_s, 0.5))
        self._smooths = cutoff_hz * dt_s < 0.5
        # Second derivatives (N - 2,) are left * x[:-2] + middle * x[1:-1] + right * x[2:].
        span = (steps[:-1] + steps[1:]) / 2
        left, right = 1 / (steps[:-1] * span), 1 / (steps[1:] * span)
        middle = -left - right
        weight = span / (dt_s * speed**4)
        bands = np.zeros((3, len(times_s)))  # upper diagonals of the penalty, as SciPy wants them
        bands[2, :-2] += weight * left * left
        bands[2, 1:-1] += weight * middle * middle
        bands[2, 2:] += weight * right * right
        bands[1, 1:-1] += weight * left * middle
        bands[1, 2:] += weight * middle * right
        bands[0, 2:] += weight * left * right
        self._penalty = bands

    def through(self, values: Floats, weights: npt.NDArray[Any]) -> Floats:
        """(N, D) smoothed values (N, D), each as important as its weight (N,); 0 is a gap."""
        from scipy.linalg import solveh_banded

        if not self._smooths and (weights > 0).all():
            return values
        matrix = self._penalty.copy()
        matrix[2] += weights
        right = values * np.asarray(weights, np.float64)[:, None]
        return np.asarray(solveh_banded(matrix, right, check_finite=False), np.float32)


def _between(times_s: Doubles, values: Floats, at_s: Doubles) -> Floats:
    """(M, K) values (N, K) drawn straight between their times."""
    columns = [np.interp(at_s, times_s, values[:, k]) for k in range(values.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)
