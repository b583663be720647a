"""Lost people known again by what they wear, or by a re-identification model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetrack.geometry import iou_matrix
from posetrack.tracking.association import People, pair
from posetrack.tracking.embeddings import Embeddings
from posetrack.tracking.looks import likeness
from posetrack.tracking.motion import person_sizes, to_centres
from posetrack.tracking.rules import Rules
from posetrack.tracking.table import Doubles, TrackTable
from posetrack.types import Bools, Ints

_SPEED = 4.0
"""Person sizes a second that somebody moves at most while nobody sees him."""
_REACH = 1.5
"""Person sizes added to that: for the time between two runs of the detector."""
_GROWTH = 2.0
"""So many times as large or small, at most, somebody is when he comes back."""
_MARGIN = 0.1
"""So much more alike must the best of several lost people be, not to be taken for another."""


_YOUNG_S = 1.0
"""So long after a birth it may turn out to be the return of somebody."""


@dataclass(slots=True)
class Revival:
    """The lost people of a frame and who of those seen in it is one of them.

    Attributes:
        table: the tracks; fewer after `revived`, where two turned out to be one person.
        people: the N poses of the frame.
        now_s: when it is.
        embeddings: of a re-identification model, or None.
    """

    table: TrackTable
    people: People
    rules: Rules
    now_s: float
    embeddings: Embeddings | None

    def recognised(self, row_of: Ints, left: Bools, track_ids: Ints) -> tuple[Ints, Bools]:
        """`row_of` (T,) and `left` (N,) after the model had a say about the tracks that were lost.

        It is asked before they are known by where they are: two who come back in each other's place
        would else be taken for each other. Where it knows nobody, the place decides as before.

        Args:
            track_ids: (N,) the track each pose's box came from, -1 from the detector.
        """
        lost = self.table.missing > 0
        if self.embeddings is None or not lost.any():
            return row_of, left
        back = lost & (row_of >= 0)
        candidates = left.copy()
        candidates[row_of[back]] = True
        if lost.sum() == candidates.sum() == back.sum() == 1:
            return row_of, left  # one who can be nobody else
        since_s = np.full(len(left), self.now_s)
        known = self._known(candidates, since_s, np.where(lost, -1, row_of), looks=False)
        rows = known[known >= 0]
        moved = (known >= 0) & (known != row_of)
        self.table.move(moved, self.people[known[moved]], self.rules)
        kept = np.where(np.isin(row_of, rows), -1, row_of)
        now = np.where(known >= 0, known, kept)
        given_up = np.setdiff1d(row_of[back], now)
        left = left.copy()
        left[given_up] = track_ids[given_up] < 0
        left[rows] = False
        return now, left

    def revived(self, row_of: Ints, left: Bools) -> tuple[Ints, Bools]:
        """`row_of` (T,) and `left` (N,), who may be new, after lost people are known by looks.

        Somebody who is new may be; so may a track of the last moments, who was taken for somebody
        new while too little was seen: it becomes part of the older one.
        """
        table = self.table
        if not ((row_of < 0) & (table.missing > 0)).any():
            return row_of, left
        young = (row_of >= 0) & (self.now_s - table.born_s <= _YOUNG_S)
        candidates = left.copy()
        candidates[row_of[young]] = True
        since_s = np.full(len(left), self.now_s)
        since_s[row_of[young]] = table.born_s[young]
        known = self._known(candidates, since_s, row_of)
        found = known >= 0
        if not found.any():
            return row_of, left
        rows = known[found]
        table.move(found, self.people[rows], self.rules)
        merged = young & np.isin(row_of, rows)
        left = left & ~np.isin(np.arange(len(left)), rows)
        self.table = table[~merged]
        return np.where(found, known, row_of)[~merged], left

    def _known(
        self, candidates: Bools, since_s: Doubles, row_of: Ints, *, looks: bool = True
    ) -> Ints:
        """(T,) for each track that was lost the row of the candidate (N,) it is, -1 for none.

        A candidate must be within reach, of about the size, and clearly more like the track than
        like any other lost one, and the track must have been lost before the candidate was there.
        Who appears where the track was last seen, as at the border where somebody left, need not
        show more than one limb for it.

        Args:
            since_s: (N,) since when each candidate is there.
            looks: whether what people wear counts for the others.
        """
        people, table, settings = self.people, self.table, self.rules.settings
        found = np.full(len(table), -1)
        rows = np.flatnonzero(candidates)
        lost = np.flatnonzero((row_of < 0) & (table.missing > 0))
        if not len(rows) or not len(lost):
            return found
        here, there = to_centres(people.boxes[rows]), to_centres(table.people.boxes[lost])
        size = person_sizes(there)
        away = np.linalg.norm(here[:, None, :2] - there[None, :, :2], axis=-1)
        reach = size * (_REACH + _SPEED * (self.now_s - table.seen_s[lost]))
        ratio = person_sizes(here)[:, None] / size
        before = table.seen_s[lost] < since_s[rows][:, None]
        possible = before & (away <= reach) & (ratio < _GROWTH) & (ratio > 1 / _GROWTH)
        alike = np.zeros(possible.shape, np.float32)
        if looks:
            seen, known = people.looks[rows], table.people.looks[lost]
            same_place = (
                iou_matrix(people.boxes[rows], table.people.boxes[lost]) >= settings.match_iou
            )
            alike = np.where(same_place, likeness(seen, known, enough=1), likeness(seen, known))
        if self.embeddings is not None and settings.reid_similarity is not None:
            own = np.full(len(people), -1)
            own[row_of[row_of >= 0]] = table.ids[row_of >= 0]
            cosines = self.embeddings.cosines(rows, own[rows], table.ids[lost], possible)
            # One threshold for both: a cosine of the one is a likeness of the other.
            cosines += settings.revive_likeness - settings.reid_similarity
            alike = np.where(np.isnan(cosines), alike, cosines)
        alike = np.where(possible, np.nan_to_num(alike), 0)
        if len(lost) > 1:
            second = np.partition(alike, -2, axis=1)[:, -2:-1]
            alike = np.where(alike >= second + _MARGIN, alike, 0)
        chosen, columns = pair(alike, max(settings.revive_likeness, 1e-6), "optimal")
        found[lost[columns]] = rows[chosen]
        return found
