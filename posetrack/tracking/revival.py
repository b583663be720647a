"""Lost people known again by what they wear, or by a re-identification model."""

from __future__ import annotations

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


def revive(
    people: People,
    candidates: Bools,
    since_s: Doubles,
    row_of: Ints,
    table: TrackTable,
    rules: Rules,
    now_s: float,
    *,
    embeddings: Embeddings | None = None,
    looks: bool = True,
) -> Ints:
    """(T,) for each track that was lost the row of the candidate (N,) it is, -1 for none.

    A candidate must be within reach, of about the size, and clearly more like the track than like
    any other lost one, and the track must have been lost before the candidate was there. Who
    appears where the track was last seen, as at the border where somebody left, need not show more
    than one limb for it.

    Args:
        since_s: (N,) since when each candidate is there.
        embeddings: of a re-identification model; where it knows both, they tell how alike two are.
        looks: whether what people wear counts for the others.
    """
    settings, found = rules.settings, np.full(len(table), -1)
    rows = np.flatnonzero(candidates)
    lost = np.flatnonzero((row_of < 0) & (table.missing > 0))
    if not len(rows) or not len(lost):
        return found
    here, there = to_centres(people.boxes[rows]), to_centres(table.people.boxes[lost])
    size = person_sizes(there)
    away = np.linalg.norm(here[:, None, :2] - there[None, :, :2], axis=-1)
    reach = size * (_REACH + _SPEED * (now_s - table.seen_s[lost]))
    ratio = person_sizes(here)[:, None] / size
    before = table.seen_s[lost] < since_s[rows][:, None]
    possible = before & (away <= reach) & (ratio < _GROWTH) & (ratio > 1 / _GROWTH)
    alike = np.zeros(possible.shape, np.float32)
    if looks:
        seen, known = people.looks[rows], table.people.looks[lost]
        same_place = iou_matrix(people.boxes[rows], table.people.boxes[lost]) >= settings.match_iou
        alike = np.where(same_place, likeness(seen, known, enough=1), likeness(seen, known))
    if embeddings is not None and settings.reid_similarity is not None:
        own = np.full(len(people), -1)
        own[row_of[row_of >= 0]] = table.ids[row_of >= 0]
        cosines = embeddings.cosines(rows, own[rows], table.ids[lost], possible)
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
