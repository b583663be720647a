"""What a re-identification model remembers of tracks, and whom it takes for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from posetrack.geometry import covered_share
from posetrack.types import Bools, Floats, Image, Ints

Embed: TypeAlias = Callable[[Image, Floats], Floats]
"""A picture and boxes (N, 4) -> embeddings (N, D) of length 1, all 0 where nothing is seen."""

_COVERED = 0.3
"""So much of a box may lie in somebody else's, for its crop to show one person."""
_STEADY = 10
"""Embeddings that make a mean; from then on the old ones fade."""
_MOST = 8
"""Crops a frame that are taken only to remember: those of a full picture wait for each other."""


@dataclass(slots=True)
class _Memory:
    """Of one track: the mean (D,) of length 1 of `count` embeddings, the last one of `at_s`."""

    mean: Floats
    count: int
    at_s: float


class Embeddings:
    """The embeddings of the tracks of one stream: `look`, `cosines`, `remember` in each frame.

    A crop is taken only of who is sure to be there and not covered by anybody, and once a frame.

    Args:
        embed: the model.
        every_s: a track that is followed is looked at this often at most.
    """

    def __init__(self, embed: Embed, every_s: float) -> None:
        self._embed, self._every_s = embed, every_s
        self._memory: dict[int, _Memory] = {}
        self._image: Image | None = None
        self._boxes = np.zeros((0, 4), np.float32)
        self._clear = np.zeros(0, np.bool_)
        self._fresh: dict[int, Floats] = {}

    def look(self, image: Image | None, boxes: Floats, people: Bools, sure: Bools) -> None:
        """Begin a frame.

        Args:
            image: None where nobody is looked at.
            boxes: (N, 4) of its poses.
            people: (N,) those that are somebody, doubles left out.
            sure: (N,) those that a detection of this frame agrees with.
        """
        self._image, self._boxes, self._fresh = image, boxes, {}
        self._clear = np.zeros(len(boxes), np.bool_)
        if image is not None:
            self._clear[people] = sure[people] & (covered_share(boxes[people]) <= _COVERED)

    def known(self, ids: Ints) -> Bools:
        """(T,) whether anything is remembered of each track."""
        return np.array([each in self._memory for each in ids.tolist()], np.bool_)

    def cosines(self, rows: Ints, own: Ints, lost: Ints, possible: Bools) -> Floats:
        """(R, L) of the poses `rows` and the tracks of the ids `lost`; NaN where one is not known.

        Args:
            own: (R,) the id of the track that each pose belongs to so far, -1 for none; what is
                remembered of that stands for a pose that cannot be seen well.
            possible: (R, L) pairs that are asked for; nobody else costs a crop.
        """
        answer = np.full(possible.shape, np.nan, np.float32)
        columns = np.flatnonzero(self.known(lost))
        asked = np.flatnonzero(possible[:, columns].any(axis=1))
        if not len(asked):
            return answer
        means = np.stack([self._memory[each].mean for each in lost[columns].tolist()])
        self._see(rows[asked].tolist())
        for place, row, track in zip(asked, rows[asked].tolist(), own[asked].tolist(), strict=True):
            memory = self._memory.get(track)
            seen = self._fresh.get(row, None if memory is None else memory.mean)
            if seen is not None:
                answer[place, columns] = means @ seen
        return answer

    def remember(self, ids: Ints, rows: Ints, now_s: float) -> None:
        """End a frame: the tracks `ids` (T,) live on, seen as `rows` (T,), -1 where they were not.

        Of those whose time has come the longest unseen are looked at; everybody else is forgotten.
        """
        alive = ids.tolist()
        self._memory = {each: self._memory[each] for each in alive if each in self._memory}
        due = []
        for track, row in zip(alive, rows.tolist(), strict=True):
            memory = self._memory.get(track)
            at_s = -np.inf if memory is None else memory.at_s
            if row >= 0 and self._clear[row] and now_s - at_s >= self._every_s - 1e-9:
                due.append((row not in self._fresh, at_s, track, row))
        chosen = sorted(due)[:_MOST]
        self._see([row for *_, row in chosen])
        for *_, track, row in chosen:
            if row in self._fresh:
                self._memory[track] = _averaged(self._memory.get(track), self._fresh[row], now_s)
        self._image = None

    def _see(self, rows: list[int]) -> None:
        """Embed those poses that can be seen well and were not embedded in this frame, at once."""
        wanted = [row for row in rows if self._clear[row] and row not in self._fresh]
        if wanted and self._image is not None:
            found = self._embed(self._image, self._boxes[wanted])
            self._fresh |= {
                row: each for row, each in zip(wanted, found, strict=True) if each.any()
            }


def _averaged(memory: _Memory | None, embedding: Floats, now_s: float) -> _Memory:
    """`memory` with one embedding more."""
    if memory is None:
        return _Memory(embedding, 1, now_s)
    count = min(memory.count + 1, _STEADY)
    mean = memory.mean + (embedding - memory.mean) / np.float32(count)
    length = max(float(np.linalg.norm(mean)), 1e-6)
    return _Memory(np.asarray(mean / length, np.float32), count, now_s)
