"""Whose pose it is: each track's row among the poses of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetrack.geometry import iou_matrix
from posetrack.tracking.association import (
    People,
    distance_scores,
    nobody_competes,
    oks_between,
    pair,
    strong,
)
from posetrack.tracking.duplicates import keep_one_each, without_nested
from posetrack.tracking.looks import likeness
from posetrack.tracking.motion import ConstantVelocity, Doubles, from_centres
from posetrack.tracking.rules import Rules
from posetrack.types import Bools, Floats, Ints

_LEAST_DISTANCE_SCORE = -100.0  # MMDeploy's

_UNLIKE = np.float32(0.5)
"""Who wears so little of the same is somebody else."""
_MARGIN = np.float32(0.1)
"""By so much a pose must fit its own track better than another one."""
_OWN = np.float32(0.1)
"""What a pose has in its favour for the track whose box it came from."""


@dataclass(frozen=True, slots=True)
class Expected:
    """T tracks as they should look in this frame.

    Attributes:
        people: their poses, moved on.
        box: the box filters.
        ids: (T,), rising.
        seen: (T,) seen in the last frame.
        alive: (T,) not unseen for too long.
        hits: (T,) frames seen.
        unseen_s: (T,) since last seen.
    """

    people: People
    box: ConstantVelocity
    ids: Ints
    seen: Bools
    alive: Bools
    hits: Ints
    unseen_s: Doubles

    def boxes(self) -> Floats:
        """(T, 4) by the box filters."""
        return from_centres(self.box.position)


def match(
    people: People,
    usable: Bools,
    track_ids: Ints,
    own: Ints,
    *,
    tracks: Expected,
    rules: Rules,
) -> tuple[Ints, Bools]:
    """(T,) each track's row, -1 for none, and (N,) the rows that are left, doubles removed.

    Poses from a track's own box come first and can be nobody else's; then detections and seen
    tracks, by falling similarity; then what remains with lost tracks too, by overlap of boxes.

    Args:
        usable: (N,) poses with enough keypoints.
        track_ids: (N,) the track each box came from, -1 from the detector.
        own: (N,) the row of that track among `tracks`, -1 for none.
    """
    settings, t = rules.settings, len(tracks.ids)
    similarity, among = _similarities(people, tracks, rules)
    by_continuity = settings.duplicates == "continuity" and t > 0
    left = keep_one_each(
        among,
        usable,
        lambda: _rank(people, own, similarity, tracks, rules),
        settings.pose_nms,
        apart=(lambda: _told_apart(similarity, own, tracks)) if by_continuity else None,
    )
    left = without_nested(people, left, lambda: _known(own, tracks), among, rules)
    row_of = np.full(t, -1)
    if not t:
        return row_of, left
    left = left.copy()
    wide = gates(tracks.unseen_s, rules)
    least = settings.match_oks if settings.association == "oks" else settings.match_iou
    threshold = least * wide
    by_similarity = settings.association != "mahalanobis"
    if by_similarity:
        if settings.likeness_weight:
            rows, columns = _among_seen(people, similarity, own, left, tracks, threshold, rules)
        else:
            rows = np.flatnonzero(left & _known(own, tracks))
            rows = rows[similarity[rows, own[rows]] >= threshold[own[rows]]]
            columns = own[rows]
        row_of[columns], left[rows] = rows, False
        if not left.any():
            return row_of, left
    itself = own[:, None] == np.arange(t)
    possible = (track_ids < 0)[:, None] | itself

    def take(similarity: Floats, allowed: Bools) -> None:
        """Pair what is allowed and not yet taken."""
        allowed = allowed & possible & left[:, None] & (row_of < 0)
        if allowed.any():
            chosen = np.where(allowed, similarity, -np.inf)
            rows, columns = pair(chosen, _LEAST_DISTANCE_SCORE, settings.assignment)
            row_of[columns], left[rows] = rows, False

    fits = similarity >= (threshold if by_similarity else _LEAST_DISTANCE_SCORE)
    take(similarity, fits & tracks.seen)
    if by_similarity:
        # A pose of its own box that is not where it was is somebody else's, overlap or not.
        possible &= ~(itself & tracks.seen & ~fits)
    if left.any():
        take(*_overlapping(people, tracks, wide, rules))
    return row_of, left


def _overlapping(
    people: People, tracks: Expected, wide: Doubles, rules: Rules
) -> tuple[Floats, Bools]:
    """(N, T) overlap of poses and tracks, lost ones too, and where it is enough."""
    overlap = iou_matrix(people.boxes, tracks.boxes())
    enough = (overlap >= rules.settings.match_iou * wide) & tracks.alive
    enough &= tracks.seen | strong(people, rules)[:, None]
    if rules.settings.likeness_weight:
        enough &= ~(likeness(people.looks, tracks.people.looks) < _UNLIKE)
    return overlap, enough


def gates(unseen_s: Doubles, rules: Rules) -> Doubles:
    """(T,) in (0, 1]: how much of the least similarities is asked of tracks unseen for so long."""
    half_s = rules.settings.gate_time_s
    return np.ones(len(unseen_s)) if half_s is None else np.exp2(-unseen_s / half_s)


def _among_seen(
    people: People,
    similarity: Floats,
    own: Ints,
    left: Bools,
    tracks: Expected,
    threshold: Doubles,
    rules: Rules,
) -> tuple[Ints, Ints]:
    """Rows and columns of the tracks seen in the last frame, by the best sum for all.

    Where people cross, each one's box may show the other: what they wear tells them apart.
    """
    settings = rules.settings
    allowed = (similarity >= threshold) & left[:, None] & tracks.seen
    rows, columns = allowed.nonzero()
    if nobody_competes(rows, columns):
        return rows, columns
    rivals = (allowed.sum(axis=1)[:, None] > 1) | (allowed.sum(axis=0) > 1)
    rows, columns = np.nonzero(allowed & ~rivals)
    open_rows = np.flatnonzero((allowed & rivals).any(axis=1))
    open_columns = np.flatnonzero((allowed & rivals).any(axis=0))
    part = np.ix_(open_rows, open_columns)
    alike = likeness(people.looks[open_rows], tracks.people.looks[open_columns])
    score = similarity[part] + settings.likeness_weight * (np.nan_to_num(alike, nan=0.5) - 0.5)
    score = score + _OWN * (own[open_rows][:, None] == open_columns)
    more_rows, more_columns = pair(
        np.where(allowed[part], score, -np.inf), -10.0, settings.assignment
    )
    rows = np.concatenate([rows, open_rows[more_rows]])
    return rows, np.concatenate([columns, open_columns[more_columns]])


def _continuity(similarity: Floats, own: Ints) -> Floats:
    """(N,) of each pose with its own track; 0 where it has none."""
    if not similarity.shape[1]:
        return np.zeros(len(own), np.float32)
    return np.where(own >= 0, similarity[np.arange(len(own)), own], np.float32(0))


def _told_apart(similarity: Floats, own: Ints, tracks: Expected) -> Bools:
    """(N, N) poses that each continue their own track, and clearly better than the other's.

    Two who walk close together may look like one person twice; that each of them is where he was
    expected tells that they are two. A box that slipped onto a neighbour gives the neighbour's
    pose, which fits its own track no better than the neighbour's.
    """
    mine = _known(own, tracks)
    better = _continuity(similarity, own)[:, None] >= similarity[:, own] + _MARGIN
    return np.asarray(better & better.T & mine[:, None] & mine)


def _known(own: Ints, tracks: Expected) -> Bools:
    """(N,) poses from the box of somebody seen in the last frame."""
    known = own >= 0
    return known & tracks.seen[own] if len(tracks.ids) else known


def column_of(track_ids: Ints, ids: Ints) -> Ints:
    """(N,) where in the rising `ids` each track id is; -1 where it is not."""
    if not len(ids):
        return np.full(len(track_ids), -1)
    column = np.minimum(ids.searchsorted(track_ids), len(ids) - 1)
    return np.where(ids[column] == track_ids, column, -1)


def _similarities(people: People, tracks: Expected, rules: Rules) -> tuple[Floats, Floats]:
    """(N, T) of poses and tracks for the first stage, and (N, N) of the poses."""
    settings, n = rules.settings, len(people)
    if settings.association == settings.pose_similarity == "oks":
        both = oks_between(people, people.joined(tracks.people), rules)
        return both[:, n:], both[:, :n]
    if settings.pose_similarity == "oks":
        among = oks_between(people, people, rules)
    else:
        among = iou_matrix(people.boxes, people.boxes)
    if settings.association == "oks":
        return oks_between(people, tracks.people, rules), among
    if settings.association == "iou":
        return iou_matrix(people.boxes, tracks.people.boxes), among
    return distance_scores(people, tracks.people, rules, tracks.hits), among


def _rank(people: People, own: Ints, similarity: Floats, tracks: Expected, rules: Rules) -> Ints:
    """(N,) which pose stays when two are one person; the highest is the best."""
    total = people.scores.sum(axis=1)
    seen = _known(own, tracks)
    if rules.settings.duplicates == "score":
        keys = [total, seen]
    else:
        # A pose that shows less than half a person, such as a face that a box has shrunk to, gives
        # way to a detection's, which then continues the track. Steps of a tenth leave ties to the
        # elder track.
        half = people.visible.sum(axis=1) * 2 >= people.visible.shape[1]
        kind = np.where(seen, np.where(half, 3, 1), np.where(own < 0, 2, 0))
        keys = [total, -own, np.round(_continuity(similarity, own), 1), kind]
    rank = np.empty(len(own), np.int64)
    rank[np.lexsort(keys)] = np.arange(len(own))
    return rank
