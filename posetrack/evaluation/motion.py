"""How calmly keypoints move, and how late smoothing makes them.

Lengths are in sizes of the person (the longer side of the box), so that near and far people count
alike; time is in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from posetrack.evaluation.trackfiles import Doubles, TrackedFrame, TrackFile
from posetrack.evaluation.tracking import Figures, common_keypoints, match, pair_frames
from posetrack.types import Bools

_NOMINAL_FPS = 25.0
_MOST_FRAMES = 8
"""Lags are looked for up to so many frames."""


@dataclass(frozen=True, slots=True)
class Series:
    """One person over T frames in a row: points (T, K, 2) in sizes, shown (T, K), step in s."""

    points: Doubles
    shown: Bools
    step_s: float

    def difference(self, order: int) -> Doubles:
        """(S, 2) the derivative of that order of every keypoint shown in all frames it needs."""
        if len(self.points) <= order:
            return np.zeros((0, 2))
        change = np.diff(self.points, order, axis=0) / self.step_s**order
        whole = np.lib.stride_tricks.sliding_window_view(self.shown, order + 1, axis=0).all(-1)
        return np.asarray(change[whole], np.float64)


def motion_figures(found: TrackFile, truth: TrackFile | None = None) -> Figures:
    """Mean jerk, and with raw keypoints the raw ones' and the lag; with a truth, errors too.

    `jerk` (sizes/s^3) is the mean length of the third derivative. `lag_ms` is by how much the
    smoothed velocities follow the raw ones, where their correlation is highest.
    `acceleration_error` (sizes/s^2) is the mean difference from the truth's acceleration, of people
    matched by OKS .5.
    """
    smooth, raw = list(series_of(found)), list(series_of(_raw(found)))
    figures: Figures = {"jerk": _mean(s.difference(3) for s in smooth)}
    if raw:
        figures |= {"raw_jerk": _mean(s.difference(3) for s in raw), "lag_ms": lag_ms(smooth, raw)}
    if truth is not None and truth.skeleton and found.skeleton:
        figures["acceleration_error"] = _acceleration_error(found, truth)
        if raw:
            figures["raw_acceleration_error"] = _acceleration_error(_raw(found), truth)
    return figures


def series_of(tracks: TrackFile) -> Iterator[Series]:
    """Every stretch of frames in a row in which one id is there."""
    if tracks.skeleton is None:
        return
    rows: dict[int, list[tuple[int, int]]] = {}
    for index in sorted(tracks.frames):
        for row, number in enumerate(tracks.frames[index].ids.tolist()):
            rows.setdefault(number, []).append((index, row))
    for places in rows.values():
        breaks = np.flatnonzero(np.diff([index for index, _ in places]) != 1) + 1
        for part in np.split(np.arange(len(places)), breaks):
            yield _series(tracks, [places[i] for i in part])


def lag_ms(later: list[Series], earlier: list[Series]) -> float | None:
    """Milliseconds by which the velocities of `later` follow those of the same series `earlier`."""
    shifts = np.arange(-1, _MOST_FRAMES + 1)
    together, steps = np.zeros(len(shifts)), []
    for late, early in zip(later, earlier, strict=True):
        shown = (late.shown[1:] & late.shown[:-1])[..., None]
        a = np.diff(late.points, axis=0) * shown
        b = np.diff(early.points, axis=0) * shown
        if len(a) <= _MOST_FRAMES + 1:
            continue
        steps.append(late.step_s)
        core = slice(_MOST_FRAMES, len(a) - 1)
        for at, shift in enumerate(shifts):
            moved = b[core.start - shift : core.stop - shift]
            together[at] += (a[core] * moved).sum()
    if not steps or together.max() <= 0:
        return None
    best = int(together.argmax())
    exact = float(shifts[best])
    if 0 < best < len(shifts) - 1:  # the peak of the parabola through three points
        left, middle, right = together[best - 1 : best + 2]
        exact += 0.5 * (left - right) / min(left - 2 * middle + right, -1e-12)
    return 1000 * exact * float(np.median(steps))


def _series(tracks: TrackFile, places: list[tuple[int, int]]) -> Series:
    frames = [(tracks.frames[index], row) for index, row in places]
    boxes = np.array([frame.boxes[row] for frame, row in frames])
    size = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    times = [tracks.times_s.get(index) for index, _ in places]
    step_s = 1 / (tracks.fps or _NOMINAL_FPS)
    if len(times) > 1 and None not in times:
        step_s = float(np.median(np.diff(np.array(times, np.float64))))
    return Series(
        np.array([frame.keypoints[row] for frame, row in frames]) / max(size, 1.0),
        np.array([frame.visible[row] for frame, row in frames]),
        max(step_s, 1e-6),
    )


def _raw(tracks: TrackFile) -> TrackFile:
    """The file before smoothing; without frames where it does not have that."""
    frames = {
        index: replace(frame, keypoints=frame.raw)
        for index, frame in tracks.frames.items()
        if frame.raw is not None
    }
    return replace(tracks, frames=frames)


def _acceleration_error(found: TrackFile, truth: TrackFile) -> float | None:
    columns, others, _ = common_keypoints(truth, found)
    # Both sides of each match as one person of one file, true and found keypoints side by side.
    joined: dict[int, TrackedFrame] = {}
    pairs: dict[tuple[int, int], int] = {}
    for index, pairing in zip(
        sorted(truth.frames), pair_frames(found, replace(truth, sparse=True), "oks"), strict=True
    ):
        rows, matched = match(pairing, 0.5)
        there = truth.at(index)
        here = found.at(index)
        order = {number: row for row, number in enumerate(here.ids.tolist())}
        picked = np.array([order[int(i)] for i in pairing.found[matched]], np.int64)
        keypoints = np.concatenate(
            [there.keypoints[rows][:, columns], here.keypoints[picked][:, others]], axis=1
        )
        shown = there.visible[rows][:, columns] & here.visible[picked][:, others]
        both = zip(there.ids[rows].tolist(), here.ids[picked].tolist(), strict=True)
        joined[index] = TrackedFrame(
            np.array([pairs.setdefault(pair, len(pairs)) for pair in both], np.int64),
            there.boxes[rows],
            keypoints,
            np.concatenate([shown, shown], axis=1),
            there.areas[rows],
            there.ignored,
        )
    errors = []
    for series in series_of(replace(truth, frames=joined, times_s=found.times_s, fps=found.fps)):
        half = series.points.shape[1] // 2
        apart = series.points[:, half:] - series.points[:, :half]
        errors.append(replace(series, points=apart, shown=series.shown[:, :half]).difference(2))
    return _mean(errors)


def _mean(changes: Iterator[Doubles] | list[Doubles]) -> float | None:
    lengths = [np.linalg.norm(change, axis=-1) for change in changes]
    every = np.concatenate([*lengths, np.zeros(0)])
    return float(every.mean()) if len(every) else None
