"""A recording as full arrays, frame by frame and person by person: what most formats write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.records import Header, Recording
from posetrack.types import Ints

Doubles = npt.NDArray[np.float64]
_SAME_RATE = 0.01
_MOST_VALUES = 2**28
"""2 GiB for each coordinate."""
_EASY_FRAMES, _SPARSEST = 100_000, 1000
"""An hour; and how many frames for one that is there: a wrong number asks for endless rows."""


@dataclass(frozen=True, slots=True)
class Dense:
    """F evenly counted frames, P people, K keypoints; NaN is what is missing.

    Attributes:
        header: of the recording.
        frames: (F,) index in the source, in equal steps.
        times_s: (F,) media times; of frames that were not looked at, interpolated.
        rate_hz: frames a second of media time, the average.
        ids: P, rising.
        keypoints: (F, P, K, 2) px.
        scores: (F, P, K), 0 where missing.
        boxes: (F, P, 4) xyxy px.
        box_scores: (F, P).
        depths: (F, P, K) metres, of 3D models.
    """

    header: Header
    frames: Ints
    times_s: Doubles
    rate_hz: float
    ids: tuple[int, ...]
    keypoints: Doubles
    scores: Doubles
    boxes: Doubles
    box_scores: Doubles
    depths: Doubles | None

    @classmethod
    def of(
        cls, recording: Recording, ids: Sequence[int] | None = None, *, every_frame: bool = False
    ) -> Self:
        """The whole recording, or some people from the first to the last sight of them.

        Args:
            ids: None is everybody, over all frames.
            every_frame: one row for each frame of the source from 0 on, whatever was skipped.
        """
        rows, looked_at = recording.rows, recording.frames
        if ids is not None:
            rows = rows[np.isin(rows.ids, ids)]
            if len(rows):
                inside = (looked_at >= rows.frame[0]) & (looked_at <= rows.frame[-1])
                looked_at = looked_at[inside]
        people = tuple(int(each) for each in np.unique(rows.ids))
        frames = _evenly(looked_at, every_frame=every_frame)
        f, p, k = len(frames), len(people), len(recording.header.skeleton)
        if f * p * k > _MOST_VALUES:
            raise ConfigError(
                f"{f} frames of {p} people with {k} keypoints are too many to hold at once: "
                "choose people with --ids"
            )
        step = int(frames[1] - frames[0]) if f > 1 else 1
        at = (rows.frame - frames[0]) // step if f else rows.frame
        who = np.searchsorted(np.array(people, np.int64), rows.ids)

        def spread(values: npt.NDArray[np.generic], empty: float, *shape: int) -> Doubles:
            whole = np.full((f, p, *shape), empty)
            whole[at, who] = np.round(values.astype(np.float64), 4)
            return whole

        scores = spread(rows.scores, 0.0, k)
        keypoints = spread(rows.keypoints, np.nan, k, 2)
        keypoints[scores <= 0] = np.nan
        depths = None if rows.depths is None else spread(rows.depths, np.nan, k)
        if depths is not None:
            depths[scores <= 0] = np.nan
        times_s = _times(recording, frames)
        return cls(
            recording.header,
            frames,
            times_s,
            _rate(recording.header, times_s),
            people,
            keypoints,
            scores,
            spread(rows.boxes, np.nan, 4),
            spread(rows.box_scores, np.nan),
            depths,
        )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(F, P) who is there."""
        return np.isfinite(self.boxes[..., 0])

    def upright(self, px_per_m: float | None) -> Doubles:
        """(F, P, K, 3) x right, y up from the lower edge, z towards the camera; px, or metres.

        Depth is known of 3D models and needs a scale; without one it is 0.
        """
        _, height = self.header.size
        points = np.zeros((*self.keypoints.shape[:-1], 3))
        points[..., 0] = self.keypoints[..., 0]
        points[..., 1] = height - 1 - self.keypoints[..., 1]
        points[..., 2] = np.where(np.isnan(self.keypoints[..., 0]), np.nan, 0.0)
        if px_per_m is not None:
            points /= px_per_m
            if self.depths is not None:
                points[..., 2] = -self.depths
        return points


def each_person(recording: Recording) -> Iterator[tuple[int, Dense]]:
    """Everybody by id, each from his first to his last frame."""
    for track_id in recording.ids():
        yield track_id, Dense.of(recording, [track_id])


def _evenly(frames: Ints, *, every_frame: bool) -> Ints:
    """(F,) from the first to the last in the largest step that meets all of them."""
    if not len(frames):
        return np.zeros(0, np.int64)
    first, step = 0 if every_frame else int(frames[0]), 1
    if len(frames) > 1 and not every_frame:
        step = max(int(np.gcd.reduce(np.diff(frames))), 1)
    count = (int(frames[-1]) - first) // step + 1
    if count > max(_EASY_FRAMES, _SPARSEST * len(frames)):
        raise ConfigError(
            f"frames {first} to {frames[-1]}, of which {len(frames)} are there: is a number wrong?"
        )
    return np.arange(first, frames[-1] + 1, step)


def _times(recording: Recording, frames: Ints) -> Doubles:
    """(F,) media times; before and after those that are known, by the rate of the header."""
    known, times = recording.frames, recording.times_s
    if not len(known):
        return np.zeros(len(frames))
    found = np.interp(frames, known, times)
    step_s = 1 / recording.header.fps
    if len(known) > 1:
        step_s = (times[-1] - times[0]) / (known[-1] - known[0])
    early = frames < known[0]
    found[early] = times[0] - (known[0] - frames[early]) * step_s
    return np.round(found, 6)


def _rate(header: Header, times_s: Doubles) -> float:
    """That of the header, unless the times tell another one (frames were dropped or skipped)."""
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return float(header.fps)
    measured = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
    return float(header.fps) if abs(measured / header.fps - 1) < _SAME_RATE else measured
