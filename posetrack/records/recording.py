"""A whole record file in memory, by columns: what editing and smoothing work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from posetrack.errors import SourceError
from posetrack.media.part import PartFile
from posetrack.records.reader import read_records
from posetrack.records.schema import LOST, NEW, TRACKED, Header, Record
from posetrack.types import Bools, Floats, Frame, Ints, Poses, Result, RowAligned, Tracks

Doubles = npt.NDArray[np.float64]
Words = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, repr=False)
class Sightings(RowAligned):
    """R sightings of people, by rising frame and, within a frame, rising id.

    Attributes:
        frame: (R,) index in the source.
        ids: (R,).
        boxes: (R, 4) xyxy px.
        box_scores: (R,).
        states: (R,) ``new``, ``tracked`` or ``lost``.
        keypoints: (R, K, 2) px, smoothed.
        scores: (R, K).
        raw: (R, K, 2) px.
        depths: (R, K) metres, of 3D models only.
    """

    frame: Ints
    ids: Ints
    boxes: Floats
    box_scores: Floats
    states: Words
    keypoints: Floats
    scores: Floats
    raw: Floats
    depths: Floats | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def joined(self, others: Iterable[Self]) -> Self:
        """These and other rows, in order."""
        parts = [self, *others]
        columns = zip(*(part._columns() for part in parts), strict=True)
        whole: list[Any] = [None if c[0] is None else np.concatenate(c) for c in columns]
        return type(self)(*whole).ordered()

    def ordered(self) -> Self:
        """The rows by frame, then id."""
        return self[np.lexsort((self.ids, self.frame))]

    def _columns(self) -> list[Any]:
        return [getattr(self, each.name) for each in fields(self)]


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything a run found.

    Attributes:
        header: of the file.
        frames: (F,) rising indices of the frames that were looked at.
        times_s: (F,) their media times.
        detector_ran: (F,).
        rows: the people in them.
    """

    header: Header
    frames: Ints
    times_s: Doubles
    detector_ran: Bools
    rows: Sightings

    @classmethod
    def of(cls, header: Header, records: Iterable[Record]) -> Self:
        """A recording of single frames."""
        known = list(records)
        count = [len(record) for record in known]
        k = len(header.skeleton)

        def column(name: str, dtype: Any, *shape: int) -> Any:
            parts = [getattr(record, name) for record in known if len(record)]
            return np.concatenate(parts).astype(dtype) if parts else np.zeros((0, *shape), dtype)

        frames = np.array([record.frame for record in known], np.int64)
        some = next((record for record in known if len(record)), None)
        has_depths = some is not None and some.depths is not None
        rows = Sightings(
            np.repeat(frames, count),
            column("ids", np.int64),
            column("boxes", np.float32, 4),
            column("box_scores", np.float32),
            np.array([state for record in known for state in record.states], "<U7"),
            column("keypoints", np.float32, k, 2),
            column("scores", np.float32, k),
            column("raw", np.float32, k, 2),
            column("depths", np.float32, k) if has_depths else None,
        )
        times_s = np.array([record.pts_s for record in known], np.float64)
        ran = np.array([record.detector_ran for record in known], np.bool_)
        order = np.argsort(frames, kind="stable")
        return cls(header, frames[order], times_s[order], ran[order], rows.ordered())

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """The recording in a record file; errors as of `read_records`."""
        recording = cls.of(*read_records(path))
        twice = recording.frames[1:][np.diff(recording.frames) == 0]
        if len(twice):
            raise SourceError(f"cannot read records {path}: frame {twice[0]} is there twice")
        return recording

    def write(self, path: Path) -> None:
        """Write a record file; an older one stays until the new one is whole.

        Raises:
            SinkError: the place cannot be written.
        """
        part = PartFile(path)
        try:
            part.write((self.header.to_json() + "\n").encode())
            for record in self.records():
                part.write((record.to_json(self.header.camera) + "\n").encode())
        except OSError as error:
            part.discard()
            raise part.failure(error) from error
        part.commit()

    def records(self) -> Iterator[Record]:
        """Its frames, one by one."""
        first = np.searchsorted(self.rows.frame, self.frames, "left").tolist()
        last = np.searchsorted(self.rows.frame, self.frames, "right").tolist()
        known = zip(
            self.frames.tolist(), self.times_s.tolist(), self.detector_ran.tolist(), first, last,
            strict=True,
        )  # fmt: skip
        for frame, time_s, ran, begin, end in known:
            rows = self.rows[begin:end]
            yield Record(
                frame,
                time_s,
                ran,
                rows.ids,
                rows.boxes,
                rows.box_scores,
                tuple(rows.states.tolist()),
                rows.keypoints,
                rows.scores,
                rows.raw,
                rows.depths,
            )

    def ids(self) -> list[int]:
        """Everybody's, rising."""
        return [int(each) for each in np.unique(self.rows.ids)]

    def track(self, track_id: int) -> Sightings:
        """One person's rows, by rising frame."""
        return self.rows[self.rows.ids == track_id]

    def times_of(self, rows: Sightings) -> Doubles:
        """(R,) media times of rows."""
        return self.times_s[np.searchsorted(self.frames, rows.frame)]

    def with_rows(self, rows: Sightings) -> Self:
        """The same frames with other people; everybody is ``new`` where he is first seen."""
        rows = rows.ordered()
        _, first = np.unique(rows.ids, return_index=True)
        states = np.where(rows.states == LOST, LOST, TRACKED).astype("<U7")
        states[first] = NEW
        return replace(self, rows=replace(rows, states=states))


def as_result(record: Record, frame: Frame, header: Header) -> Result:
    """The record of a frame as what the run once gave for it, for drawing and writing."""
    boxes, keypoints = record.boxes, record.keypoints
    poses = Poses(
        keypoints, record.scores, boxes, record.box_scores, header.skeleton, record.depths
    )
    age_s = np.array([state != NEW for state in record.states], np.float32)
    seen = np.array([state != LOST for state in record.states], np.bool_)
    return Result(frame, Tracks(poses, record.ids, age_s, seen), record.raw, record.detector_ran)
