"""What was found, as text: record schema v1 (JSON lines), its reader, and long-form CSV.

The first line of a record file is the header, each further line one frame::

    {"schema":"posetrack/1","version":"0.1.0","source":"a.mp4","size":[640,480],"fps":25.0,...}
    {"frame":0,"pts_s":0.0,"detector":true,"people":[{"id":1,"box":[x1,y1,x2,y2],"score":0.9,
     "state":"new","keypoints":[[x,y,score],...],"raw":[[x,y],...]}]}

Coordinates are pixels of the upright source frame. The same results give the same bytes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from posetrack import __version__
from posetrack.errors import SourceError, SourceNotFound
from posetrack.media.part import PartFile
from posetrack.skeletons import Skeleton
from posetrack.types import Floats, Image, Ints, Result, Tracks

SCHEMA = "posetrack/1"
CSV_COLUMNS = (
    "frame,pts_s,id,state,box_x1,box_y1,box_x2,box_y2,box_score,keypoint,x,y,score,raw_x,raw_y"
)


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a record file.

    Attributes:
        source: name of the source, without any password.
        size: (width, height) of the upright frames the coordinates belong to.
        fps: average frames a second in the time of ``pts_s``.
        skeleton: what the keypoints are.
        models: by task, e.g. ``{"detection": "rtmdet-nano", "pose": "rtmpose-t"}``.
        settings: those the run was made with.
        version: of posetrack.
        schema: of the file.
    """

    source: str
    size: tuple[int, int]
    fps: float
    skeleton: Skeleton
    models: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    schema: str = SCHEMA

    def to_json(self) -> str:
        """One line of JSON."""
        skeleton = {
            "name": self.skeleton.name,
            "keypoints": self.skeleton.keypoints,
            "limbs": self.skeleton.limbs,
            "flip_pairs": self.skeleton.flip_pairs,
            "sigmas": self.skeleton.sigmas,
        }
        line = {
            "schema": self.schema,
            "version": self.version,
            "source": self.source,
            "size": self.size,
            "fps": float(self.fps),
            "skeleton": skeleton,
            "models": dict(self.models),
            "settings": dict(self.settings),
        }
        return json.dumps(line, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Header:
        """The header of a line; ValueError or KeyError where it is none."""
        data = json.loads(line)
        if not isinstance(data, dict) or "schema" not in data:
            raise ValueError("it is not a posetrack record file")
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']!r}, this version reads {SCHEMA!r}")
        bones = data["skeleton"]
        skeleton = Skeleton(
            name=bones["name"],
            keypoints=tuple(bones["keypoints"]),
            flip_pairs=tuple((a, b) for a, b in bones.get("flip_pairs", ())),
            limbs=tuple((a, b) for a, b in bones.get("limbs", ())),
            sigmas=tuple(bones.get("sigmas", ())),
        )
        return cls(
            source=data["source"],
            size=(data["size"][0], data["size"][1]),
            fps=data["fps"],
            skeleton=skeleton,
            models=data.get("models", {}),
            settings=data.get("settings", {}),
            version=data.get("version", ""),
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One frame of a record file; N people, row-aligned.

    Attributes:
        frame: index in the source.
        pts_s: media time in seconds.
        detector_ran: whether this was a detector frame.
        ids: (N,) int64.
        boxes: (N, 4) xyxy px.
        box_scores: (N,).
        states: N times ``new``, ``tracked`` or ``lost``.
        keypoints: (N, K, 2) px, smoothed.
        scores: (N, K).
        raw: (N, K, 2) px, as the network gave them.
        depths: (N, K) metres, of 3D models only.
    """

    frame: int
    pts_s: float
    detector_ran: bool
    ids: Ints
    boxes: Floats
    box_scores: Floats
    states: tuple[str, ...]
    keypoints: Floats
    scores: Floats
    raw: Floats
    depths: Floats | None = None

    def __len__(self) -> int:
        return len(self.ids)


def states(tracks: Tracks) -> tuple[str, ...]:
    """For each person ``lost`` (predicted, not seen), ``new`` (born now) or ``tracked``."""
    return tuple(
        "lost" if not seen else "new" if age <= 0 else "tracked"
        for seen, age in zip(tracks.observed.tolist(), tracks.age_s.tolist(), strict=True)
    )


def record(result: Result) -> dict[str, Any]:
    """Schema v1 of one frame: px with 2 decimals, scores with 4, seconds with 6."""
    tracks, poses = result.tracks, result.tracks.poses
    points = np.empty((*poses.scores.shape, 3))  # float64: 0.1 is then written as 0.1
    points[..., :2], points[..., 2] = poses.keypoints, poses.scores
    points[..., :2] = np.round(points[..., :2], 2)
    rows = zip(
        tracks.ids.tolist(),
        _rounded(poses.boxes, 2),
        _rounded(poses.box_scores, 4),
        states(tracks),
        _rounded(points, 4),
        _rounded(result.raw, 2),
        strict=True,
    )
    names = ("id", "box", "score", "state", "keypoints", "raw")
    people = [dict(zip(names, row, strict=True)) for row in rows]
    if poses.depths is not None:
        for person, depths in zip(people, _rounded(poses.depths, 4), strict=True):
            person["depths"] = depths
    return {
        "frame": result.frame.index,
        "pts_s": round(result.frame.pts_s, 6),
        "detector": result.detector_ran,
        "people": people,
    }


def _rounded(values: Any, decimals: int) -> Any:
    """Nested lists of rounded floats."""
    return np.round(np.asarray(values, np.float64), decimals).tolist()


class _TextSink:
    """A text file, one or more lines a result."""

    def __init__(self, path: Path, *, source: Path | None = None) -> None:
        self.path = path
        self._source = source
        self._part: PartFile | None = None

    def _begin(self) -> str:
        raise NotImplementedError

    def _lines(self, result: Result) -> str:
        raise NotImplementedError

    def open(self) -> None:
        """Create the file and write its first line."""
        self._part = PartFile(self.path, source=self._source)
        self._put(self._begin())

    def write(self, result: Result, image: Image | None = None, /) -> None:  # noqa: ARG002 - as every sink
        """Append the lines of one result."""
        self._put(self._lines(result))

    def _put(self, text: str) -> None:
        assert self._part is not None, "open the sink before writing"
        try:
            self._part.write(text.encode())
        except OSError as error:
            raise self._part.failure(error) from error

    def finish(self) -> None:
        """Give the file its name."""
        if self._part is not None:
            part, self._part = self._part, None
            part.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._part is not None:
            part, self._part = self._part, None
            part.discard()


class RecordWriter(_TextSink):
    """Writes a header and one JSON line a frame; a `posetrack.media.sink.Sink`.

    Args:
        path: final name.
        header: written first.
        source: the input file, which is never overwritten.
    """

    def __init__(self, path: Path, header: Header, *, source: Path | None = None) -> None:
        super().__init__(path, source=source)
        self._header = header

    def _begin(self) -> str:
        return self._header.to_json() + "\n"

    def _lines(self, result: Result) -> str:
        return json.dumps(record(result), separators=(",", ":")) + "\n"


class CsvWriter(_TextSink):
    """Writes one line for each keypoint of each person, columns `CSV_COLUMNS`; a Sink.

    A frame without people has no line.
    """

    def _begin(self) -> str:
        return CSV_COLUMNS + "\n"

    def _lines(self, result: Result) -> str:
        made = record(result)
        names = result.tracks.poses.skeleton.keypoints
        lines = []
        for person in made["people"]:
            box = ",".join(map(repr, person["box"]))
            who = f"{made['frame']},{made['pts_s']},{person['id']},{person['state']}"
            start = f"{who},{box},{person['score']},"
            for name, (x, y, score), (raw_x, raw_y) in zip(
                names, person["keypoints"], person["raw"], strict=True
            ):
                lines.append(f"{start}{name},{x},{y},{score},{raw_x},{raw_y}\n")
        return "".join(lines)


def read_records(path: Path | str) -> tuple[Header, Iterator[Record]]:
    """The header of a record file and its frames, read while iterating.

    A last line that is cut (of a run that was killed) is left out with a warning.

    Raises:
        SourceNotFound: no such file. SourceError: not a record file, or a bad line (from the
            iterator, with its number).
    """
    path = Path(path)
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        kind = SourceNotFound if isinstance(error, FileNotFoundError) else SourceError
        raise kind(f"cannot read records {path}: {error.strerror}; check the path") from error
    try:
        header = Header.from_json(file.readline())
    except (ValueError, KeyError, TypeError, IndexError) as error:
        file.close()
        reason = error if type(error) is ValueError else "its first line is not a header"
        raise SourceError(f"cannot read records {path}: {reason}") from error
    return header, _records(file, path, len(header.skeleton))


def _records(file: TextIO, path: Path, keypoints: int) -> Iterator[Record]:
    with file:
        for number, line in enumerate(file, 2):
            try:
                yield _parse(line, keypoints)
            except (ValueError, KeyError, TypeError) as error:
                if not line.endswith("\n"):
                    warnings.warn(
                        f"{path}:{number} is cut in the middle: the frames before it are used",
                        stacklevel=2,
                    )
                    return
                raise SourceError(f"{path}:{number} is not a record: {error}") from error


def _parse(line: str, k: int) -> Record:
    data = json.loads(line)
    people = data["people"]
    n = len(people)

    def column(get: Callable[[Any], Any], dtype: Any, *shape: int) -> Any:
        return np.array([get(person) for person in people], dtype).reshape(n, *shape)

    points = column(lambda p: p["keypoints"], np.float32, k, 3)
    has_depths = n > 0 and "depths" in people[0]
    return Record(
        frame=data["frame"],
        pts_s=data["pts_s"],
        detector_ran=data["detector"],
        ids=column(lambda p: p["id"], np.int64),
        boxes=column(lambda p: p["box"], np.float32, 4),
        box_scores=column(lambda p: p["score"], np.float32),
        states=tuple(p["state"] for p in people),
        keypoints=np.ascontiguousarray(points[..., :2]),
        scores=np.ascontiguousarray(points[..., 2]),
        raw=column(lambda p: p["raw"], np.float32, k, 2),
        depths=column(lambda p: p["depths"], np.float32, k) if has_depths else None,
    )
