"""What the figures are drawn of: a recording, a scale, and one person's arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetrack.formats.dense import Dense
from posetrack.kinematics import landmarks
from posetrack.plots.canvas import Doubles
from posetrack.records import Recording


@dataclass(frozen=True, slots=True)
class Subject:
    """A recording with what its numbers are measured in.

    Attributes:
        recording: keypoints with score 0 are not drawn.
        px_per_m: None leaves pixels.
    """

    recording: Recording
    px_per_m: float | None = None

    @property
    def unit(self) -> str:
        """Of lengths."""
        return "px" if self.px_per_m is None else "m"

    @property
    def scale(self) -> float:
        """Units a pixel."""
        return 1.0 if self.px_per_m is None else 1 / self.px_per_m

    @property
    def name(self) -> str:
        """Of what was filmed."""
        return self.recording.header.source

    def frames_of(self) -> dict[int, int]:
        """How many frames everybody is in, by id."""
        ids, counts = np.unique(self.recording.rows.ids, return_counts=True)
        return dict(zip(ids.tolist(), counts.tolist(), strict=True))

    def person(self, track_id: int) -> Dense:
        """Somebody's arrays, from his first to his last frame."""
        return Dense.of(self.recording, [track_id])

    def places(self, track_id: int) -> tuple[Doubles, Doubles]:
        """(F,) times and (F, 2) px where he stands: the middle of his box's lower edge."""
        rows = self.recording.track(track_id)
        x = (rows.boxes[:, 0] + rows.boxes[:, 2]) / 2
        feet = np.stack([x, rows.boxes[:, 3]], axis=-1).astype(np.float64)
        return self.recording.times_of(rows), feet


def landmark(one: Dense, name: str) -> Doubles:
    """(F, 2) px of one person's landmark; NaN where it was not found."""
    skeleton = one.header.skeleton
    points, _ = landmarks.take(skeleton, [name], one.keypoints[:, 0], one.scores[:, 0])
    return points[:, 0]
