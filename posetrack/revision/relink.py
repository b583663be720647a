"""Pieces of one person's track joined again, with the whole video known.

A piece that ends and one that begins a little later are one person where each, carried on at its
own speed over the gap, comes near the other's end, is of about its size, and no other piece fits
nearly as well. All gaps are closed together, by the lowest sum of costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from posetrack.records import Recording, Sightings
from posetrack.types import Bools

Doubles = npt.NDArray[np.float64]

MAX_GAP_S = 3.0
"""Longest time that a person may be out of sight."""
_NEAR = 0.5
"""Person sizes that two ends may be apart where nothing happened in between."""
_PER_SECOND = 1.0
"""Person sizes a second that the carried-on path may be wrong by."""
_GROWTH = 1.5
"""So many times as large or small, at most, a piece goes on."""
_CLEAR = 0.25
"""Person sizes by which the best continuation must be nearer than the second."""
_RECENT_S = 0.5
_MEMORY_S = 1.0
"""The speed at an end is that of its last half second, and counts for the first second of a gap."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """One end of each of N pieces, as seen from the gap."""

    time_s: Doubles
    centre: Doubles
    velocity: Doubles
    size: Doubles

    def after(self, wait_s: Doubles) -> Doubles:
        """(N, M, 2) centres when carried on by `wait_s` (N, M)."""
        carried = np.clip(wait_s, -_MEMORY_S, _MEMORY_S)[..., None]
        return np.asarray(self.centre[:, None] + carried * self.velocity[:, None])


def relink(recording: Recording, max_gap_s: float = MAX_GAP_S) -> tuple[Recording, dict[int, int]]:
    """The recording with its pieces joined, and for each id that is gone the one it became.

    A joined track keeps its first id. Nobody is invented for the frames of a gap.

    Args:
        max_gap_s: longest time a person may be out of sight.
    """
    ids = recording.ids()
    if len(ids) < 2:
        return recording, {}
    tracks = [recording.track(each) for each in ids]
    times = [recording.times_of(rows) for rows in tracks]
    pieces = list(zip(tracks, times, strict=True))
    ends, starts = _ends(pieces, last=True), _ends(pieces, last=False)
    cost, possible = _costs(ends, starts, max_gap_s)
    became: dict[int, int] = {}
    together = starts.time_s[:, None] <= ends.time_s[None]
    together &= together.T
    for one, other in _chosen(cost, possible, together):
        became[ids[other]] = ids[one]
    for each in sorted(became):  # chains: 7 -> 4 -> 1
        while became[each] in became:
            became[each] = became[became[each]]
    named = np.array([became.get(each, each) for each in ids], np.int64)
    rows = recording.rows
    new_ids = named[np.searchsorted(np.array(ids), rows.ids)]
    return recording.with_rows(replace(rows, ids=new_ids)), became


def _ends(tracks: list[tuple[Sightings, Doubles]], *, last: bool) -> _Ends:
    """Where each piece stops, or starts, and how it moves there."""
    time_s, centre, velocity, size = [], [], [], []
    for rows, times_s in tracks:
        end = -1 if last else 0
        near = np.abs(times_s - times_s[end]) <= _RECENT_S
        boxes = rows.boxes[near].astype(np.float64)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
        size.append(np.median(np.sqrt(sides.prod(axis=1))))
        time_s.append(times_s[end])
        centre.append(middle[end])
        velocity.append(_speed(times_s[near], middle))
    return _Ends(np.array(time_s), np.array(centre), np.array(velocity), np.array(size))


def _speed(times_s: Doubles, middle: Doubles) -> Doubles:
    """(2,) px/s, the slope of a straight line through the centres; 0 for less than three."""
    if len(times_s) < 3:
        return np.zeros(2)
    away = times_s - times_s.mean()
    return np.asarray(away @ middle / max(float(away @ away), 1e-9))


def _costs(ends: _Ends, starts: _Ends, max_gap_s: float) -> tuple[Doubles, Bools]:
    """(N, N) person sizes by which end i and start j miss each other, and which may be one."""
    gap_s = starts.time_s[None] - ends.time_s[:, None]
    ahead = np.linalg.norm(ends.after(gap_s) - starts.centre[None], axis=-1)
    back = np.linalg.norm(starts.after(-gap_s.T) - ends.centre[None], axis=-1).T
    size = (ends.size[:, None] + starts.size[None]) / 2
    cost = (ahead + back) / 2 / size
    ratio = np.maximum(ends.size[:, None], starts.size[None])
    ratio = ratio / np.minimum(ends.size[:, None], starts.size[None])
    possible = (gap_s > 0) & (gap_s <= max_gap_s) & (ratio <= _GROWTH)
    possible &= cost <= _NEAR + _PER_SECOND * gap_s
    return cost, np.asarray(possible)


def _chosen(cost: Doubles, possible: Bools, together: Bools) -> list[tuple[int, int]]:
    """Pairs (end, start) of the lowest sum, without those that another fits nearly as well.

    Others that are not there at the same time (N, N) as the chosen piece may be more of the same
    person and are no rivals.
    """
    from scipy.optimize import linear_sum_assignment

    if not possible.any():
        return []
    barred = np.where(possible, cost, np.inf)
    dear = float(cost[possible].max()) * cost.shape[0] + 1
    rows, columns = linear_sum_assignment(np.where(possible, cost, dear))
    pairs = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        rivals = np.concatenate(
            [
                barred[row][together[column] & (np.arange(len(cost)) != column)],
                barred[:, column][together[row] & (np.arange(len(cost)) != row)],
            ]
        )
        clear = barred[row, column] + _CLEAR <= rivals.min(initial=np.inf)
        if possible[row, column] and clear:
            pairs.append((row, column))
    return pairs
