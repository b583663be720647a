"""Corrections of identities by hand. Each gives a new recording; the old one is not touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from posetrack.errors import ConfigError
from posetrack.records import LOST, Recording
from posetrack.types import Ints

NAME_LENGTH = 60
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Span:
    """When one person was there, and how well he was seen.

    Attributes:
        track_id: whose.
        first_frame: index in the source; `last_frame` too.
        first_s: media time; `last_s` too.
        frames: in which he was seen.
        gaps: interruptions, frames that were looked at and show him not.
        score: mean of the keypoints' scores.
        height_px: median of the box's.
    """

    track_id: int
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    frames: int
    gaps: int
    score: float
    height_px: float


def spans(recording: Recording) -> list[Span]:
    """Everybody's, by id."""
    return [_span(recording, each) for each in recording.ids()]


def _span(recording: Recording, track_id: int) -> Span:
    rows = recording.track(track_id)
    rows = rows[rows.states != LOST]
    if not len(rows):
        rows = recording.track(track_id)
    times_s = recording.times_of(rows)
    places = np.searchsorted(recording.frames, rows.frame)
    return Span(
        track_id,
        int(rows.frame[0]),
        int(rows.frame[-1]),
        float(times_s[0]),
        float(times_s[-1]),
        len(rows),
        int((np.diff(places) > 1).sum()),
        float(rows.scores.mean()),
        float(np.median(rows.boxes[:, 3] - rows.boxes[:, 1])),
    )


def merge(recording: Recording, into: int, others: list[int]) -> Recording:
    """The `others` become part of `into`.

    Raises:
        ConfigError: an id that is not there, or two of them in the same frame.
    """
    _require(recording, into, *others)
    if into in others:
        raise ConfigError(f"track {into} cannot be merged with itself: name another")
    rows = recording.rows
    mine = np.isin(rows.ids, [into, *others])
    frames, count = np.unique(rows.frame[mine], return_counts=True)
    if (twice := frames[count > 1]).size:
        raise ConfigError(
            f"tracks {_listed([into, *others])} are there together in frames {_ranges(twice)}: "
            "they are different people, or cut one of them first"
        )
    changed = recording.with_rows(replace(rows, ids=np.where(mine, into, rows.ids)))
    names = recording.header.names
    known = next((names[each] for each in (into, *others) if each in names), None)
    return _named(changed, dict(names) | ({} if known is None else {into: known}))


def swap(recording: Recording, a: int, b: int, frame: int) -> Recording:
    """From `frame` on, `a` is called `b` and the other way round."""
    _require(recording, a, b)
    rows = recording.rows
    late = rows.frame >= frame
    if not (late & np.isin(rows.ids, [a, b])).any():
        raise ConfigError(f"neither track {a} nor {b} is there from frame {frame} on")
    ids = np.where(late & (rows.ids == a), b, np.where(late & (rows.ids == b), a, rows.ids))
    return recording.with_rows(replace(rows, ids=ids))


def cut(recording: Recording, track_id: int, frame: int) -> tuple[Recording, int]:
    """From `frame` on the track has a new id, which is given too."""
    _require(recording, track_id)
    rows = recording.rows
    mine = rows.ids == track_id
    late = mine & (rows.frame >= frame)
    if not late.any() or late.sum() == mine.sum():
        span = rows.frame[mine]
        raise ConfigError(
            f"track {track_id} is there from frame {span[0]} to {span[-1]}: "
            f"cutting it at {frame} changes nothing"
        )
    new = int(rows.ids.max()) + 1
    return recording.with_rows(replace(rows, ids=np.where(late, new, rows.ids))), new


def delete(recording: Recording, track_ids: list[int]) -> Recording:
    """Nobody of these was there."""
    _require(recording, *track_ids)
    rows = recording.rows
    changed = recording.with_rows(rows[~np.isin(rows.ids, track_ids)])
    return _named(changed, recording.header.names)


def renumber(recording: Recording, track_id: int, new: int) -> Recording:
    """The track is called `new` from its first frame to its last; its name stays.

    Raises:
        ConfigError: a track that is not there, or a number that is taken or below 0.
    """
    _require(recording, track_id)
    if new < 0:
        raise ConfigError(f"track {track_id} cannot be called {new}: ids are 0 or more")
    if new in recording.ids():
        raise ConfigError(f"there is a track {new} already: merge them, or choose another number")
    rows = recording.rows
    changed = recording.with_rows(replace(rows, ids=np.where(rows.ids == track_id, new, rows.ids)))
    names = {new if each == track_id else each: n for each, n in recording.header.names.items()}
    return _named(changed, names)


def name(recording: Recording, track_id: int, text: str) -> Recording:
    """The person of the track has a name, which the header keeps; an empty one takes it away.

    Raises:
        ConfigError: a track that is not there, a name of more than a line, or too long.
    """
    _require(recording, track_id)
    text = text.strip()
    if len(text) > NAME_LENGTH or not text.isprintable():
        raise ConfigError(f"a name is one line of at most {NAME_LENGTH} characters: shorten it")
    others = {each: n for each, n in recording.header.names.items() if each != track_id}
    return _named(recording, others | ({track_id: text} if text else {}))


def _named(recording: Recording, names: Mapping[int, str]) -> Recording:
    """With the names of those who are there."""
    known = set(recording.ids())
    kept = {each: text for each, text in names.items() if each in known}
    return replace(recording, header=replace(recording.header, names=kept))


def _require(recording: Recording, *track_ids: int) -> None:
    known = recording.ids()
    for each in track_ids:
        if each not in known:
            raise ConfigError(f"there is no track {each}: known are {_listed(known)}")


def _listed(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:_SHOWN]))
    return f"{shown}, ..." if len(ids) > _SHOWN else shown or "none"


def _ranges(frames: Ints) -> str:
    """``3-7, 12``: runs of consecutive frames."""
    parts = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    words = [f"{p[0]}-{p[-1]}" if len(p) > 1 else f"{p[0]}" for p in parts]
    return ", ".join(words[:_SHOWN]) + (", ..." if len(words) > _SHOWN else "")
