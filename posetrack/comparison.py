"""How two recordings of one video differ: who is who, and how far apart their keypoints are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from posetrack.errors import ConfigError
from posetrack.geometry import iou_matrix
from posetrack.records import Recording, Sightings
from posetrack.types import Bools, Ints

Doubles = npt.NDArray[np.float64]

SAME_IOU = 0.3
"""Boxes that overlap so much in a frame may be one person's."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One person in both recordings; M frames in which both have him.

    Attributes:
        ids: his id in A and in B.
        frames: (M,) indices.
        times_s: (M,) by A's clock.
        apart: (M, K, 2) px, B minus A; NaN where one of them lacks the keypoint.
        only: (M, K, 2) keypoints found by A alone, and by B alone.
        heights: (M,) px of his box in A.
        frames_of: how many frames each has him in.
    """

    ids: tuple[int, int]
    frames: Ints
    times_s: Doubles
    apart: Doubles
    only: Bools
    heights: Doubles
    frames_of: tuple[int, int]

    @property
    def distances(self) -> Doubles:
        """(M, K) px; NaN where one of them lacks the keypoint."""
        found: Doubles = np.linalg.norm(self.apart, axis=-1)
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two recordings side by side.

    Attributes:
        keypoints: K names.
        pairs: people in both, by A's id.
        alone: ids only A has, and only B has.
        frames: how many both looked at.
    """

    keypoints: tuple[str, ...]
    pairs: tuple[Pair, ...]
    alone: tuple[tuple[int, ...], tuple[int, ...]]
    frames: int

    def rows(self) -> list[dict[str, Any]]:
        """A row of figures for every keypoint over all people, then one for every person."""
        rows = []
        for index, name in enumerate(self.keypoints):
            parts = [figures([pair], [index]) for pair in self.pairs]
            if any(part["compared"] for part in parts):
                rows.append({"keypoint": name, **figures(self.pairs, [index])})
        return rows

    def people(self) -> list[dict[str, Any]]:
        """A row of figures for every person."""
        every = list(range(len(self.keypoints)))
        return [
            {
                "a": pair.ids[0],
                "b": pair.ids[1],
                "frames_a": pair.frames_of[0],
                "frames_b": pair.frames_of[1],
                "frames_both": len(pair.frames),
                **figures([pair], every),
            }
            for pair in self.pairs
        ]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        every = list(range(len(self.keypoints)))
        return {
            "frames": self.frames,
            "all": figures(self.pairs, every),
            "people": self.people(),
            "keypoints": self.rows(),
            "only_a": list(self.alone[0]),
            "only_b": list(self.alone[1]),
        }


def figures(pairs: Sequence[Pair], keypoints: Sequence[int]) -> dict[str, float]:
    """Of these keypoints of these people: px apart, in what direction, and what one lacks.

    ``median``, ``p95``, ``max`` of the distances in px, ``share`` the median of the distance in
    heights of the box, ``dx`` and ``dy`` the mean difference B minus A, ``only_a`` and ``only_b``
    the share that one of them alone has found. Values over nothing are NaN.
    """
    chosen = list(keypoints)
    apart = _joined([pair.apart[:, chosen].reshape(-1, 2) for pair in pairs], (0, 2))
    tall = _joined([np.repeat(pair.heights, len(chosen)) for pair in pairs], (0,))
    only = _joined([pair.only[:, chosen].reshape(-1, 2) for pair in pairs], (0, 2))
    both = np.isfinite(apart).all(axis=1)
    distances = np.linalg.norm(apart[both], axis=1)
    known = len(distances) > 0

    def value(found: Any) -> float:
        return round(float(found), 4)

    nothing = float("nan")
    return {
        "compared": len(distances),
        "median": value(np.median(distances)) if known else nothing,
        "p95": value(np.percentile(distances, 95)) if known else nothing,
        "max": value(distances.max()) if known else nothing,
        "share": value(np.median(distances / tall[both])) if known else nothing,
        "dx": value(apart[both, 0].mean()) if known else nothing,
        "dy": value(apart[both, 1].mean()) if known else nothing,
        "only_a": value(only[:, 0].mean()) if len(only) else nothing,
        "only_b": value(only[:, 1].mean()) if len(only) else nothing,
    }


def compare(a: Recording, b: Recording, *, min_score: float = 0.0) -> Comparison:
    """People of A and B paired by where they are, not by their ids, and what is between them.

    Each is paired with at most one: so that as many frames as possible agree (Kuhn, 1955).

    Args:
        min_score: keypoints below count as not found.

    Raises:
        ConfigError: other keypoints, another size, or no frame in common.
    """
    _check(a, b)
    shared = np.intersect1d(a.frames, b.frames)
    here, there = _in_frames(a.rows, shared), _in_frames(b.rows, shared)
    ids = [sorted({int(each) for each in rows.ids}) for rows in (here, there)]
    agree = _agreements(here, there, ids[0], ids[1])
    left, right = linear_sum_assignment(-agree)
    matched = sorted(
        (ids[0][i], ids[1][j]) for i, j in zip(left, right, strict=True) if agree[i, j]
    )
    pairs = tuple(_pair(a, b, shared, each, min_score) for each in matched)
    alone = tuple(
        tuple(each for each in recording.ids() if each not in {pair[side] for pair in matched})
        for side, recording in enumerate((a, b))
    )
    names = a.header.skeleton.keypoints
    return Comparison(names, pairs, (alone[0], alone[1]), len(shared))


def _check(a: Recording, b: Recording) -> None:
    if a.header.skeleton.keypoints != b.header.skeleton.keypoints:
        names = a.header.skeleton.name, b.header.skeleton.name
        raise ConfigError(
            f"A has the keypoints of {names[0]}, B those of {names[1]}: compare runs of one set"
        )
    if a.header.size != b.header.size:
        sizes = ["x".join(map(str, each.header.size)) for each in (a, b)]
        raise ConfigError(f"A is of {sizes[0]}, B of {sizes[1]}: compare runs of one video")
    if not len(np.intersect1d(a.frames, b.frames)):
        raise ConfigError("A and B have no frame in common: compare runs of one video")


def _in_frames(rows: Sightings, frames: Ints) -> Sightings:
    return rows[np.isin(rows.frame, frames)]


def _agreements(a: Sightings, b: Sightings, ids_a: list[int], ids_b: list[int]) -> Doubles:
    """(A, B) frames in which two overlap; those with the better overlap count a little more."""
    agree = np.zeros((len(ids_a), len(ids_b)))
    frames = np.intersect1d(a.frame, b.frame)
    for here, there in zip(_by_frame(a, frames), _by_frame(b, frames), strict=True):
        iou = iou_matrix(here.boxes, there.boxes)
        rows, columns = np.searchsorted(ids_a, here.ids), np.searchsorted(ids_b, there.ids)
        agree[np.ix_(rows, columns)] += np.where(iou >= SAME_IOU, 1 + 1e-3 * iou, 0)
    return agree


def _by_frame(rows: Sightings, frames: Ints) -> Iterator[Sightings]:
    """The rows of each of these frames."""
    begins = np.searchsorted(rows.frame, frames, "left").tolist()
    ends = np.searchsorted(rows.frame, frames, "right").tolist()
    return (rows[begin:end] for begin, end in zip(begins, ends, strict=True))


def _pair(a: Recording, b: Recording, shared: Ints, ids: tuple[int, int], min_score: float) -> Pair:
    one, other = _in_frames(a.track(ids[0]), shared), _in_frames(b.track(ids[1]), shared)
    frames = np.intersect1d(one.frame, other.frame)
    here, there = _in_frames(one, frames), _in_frames(other, frames)
    least = max(min_score, float(np.finfo(np.float32).tiny))
    found = here.scores >= least, there.scores >= least
    apart = there.keypoints.astype(np.float64) - here.keypoints
    apart[~(found[0] & found[1])] = np.nan
    only = np.stack([found[0] & ~found[1], found[1] & ~found[0]], axis=-1)
    heights = (here.boxes[:, 3] - here.boxes[:, 1]).astype(np.float64)
    times_s = a.times_of(here)
    return Pair(ids, frames, times_s, apart, only, heights, (len(one), len(other)))


def _joined(parts: list[Any], empty: tuple[int, ...]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(empty)
