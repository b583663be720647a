"""Depths of people smoothed as their keypoints are, in metres."""

from __future__ import annotations

import numpy as np

from posetrack.tracking.rules import Rules
from posetrack.tracking.smoothing import Smoothed, one_euro
from posetrack.types import Floats, Ints

PERSON_M = np.float32(1.7)
"""What one person is long; speeds of depths are measured in it."""


class DepthSmoother:
    """One-Euro filters for the depths of whoever is seen; who was not seen starts anew."""

    def __init__(self) -> None:
        self._ids = np.zeros(0, np.int64)
        self._state: Smoothed | None = None

    def smoothed(
        self,
        ids: Ints,
        depths: Floats,
        scores: Floats,
        rules: Rules,
        *,
        dt_s: float,
        now_s: float,
    ) -> Floats:
        """(T, K) metres.

        Args:
            ids: (T,) of the tracks that are seen now, rising.
            depths: (T, K) metres, as the network gave them.
            scores: (T, K) of the keypoints.
            rules: of the tracker.
            dt_s: seconds since the frame before.
            now_s: time on the tracker's clock.
        """
        settings = rules.settings
        if settings.smoothing == "none" or not len(ids):
            self._ids, self._state = ids[:0], None
            return depths
        # A point of one axis: the filter's cutoff then follows the speed along it.
        points = np.stack([depths, np.zeros_like(depths)], axis=-1)
        state = Smoothed.start(points, now_s)
        if self._state is not None:
            known, mine, before = np.intersect1d(ids, self._ids, return_indices=True)
            weights = None
            if settings.confidence_weighting:
                sure = np.minimum(scores[mine] / max(rules.visible, 1e-6), 1)
                weights = np.asarray(sure * sure, np.float32)
            state[mine] = one_euro(
                self._state[before],
                points[mine],
                settings,
                dt_s=dt_s,
                now_s=now_s,
                person_px=np.full(len(known), PERSON_M),
                weights=weights,
            )
        self._ids, self._state = ids.copy(), state
        return state.points[..., 0].copy()
