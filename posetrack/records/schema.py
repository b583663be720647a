"""Record schema v1: what was found in each frame, as lines of JSON.

The first line of a record file is the header, each further line one frame::

    {"schema":"posetrack/1","version":"0.1.0","source":"a.mp4","size":[640,480],"fps":25.0,...}
    {"frame":0,"pts_s":0.0,"detector":true,"people":[{"id":1,"box":[x1,y1,x2,y2],"score":0.9,
     "state":"new","keypoints":[[x,y,score],...],"raw":[[x,y],...]}]}

Coordinates are pixels of the upright source frame. The same results give the same bytes.

Of 3D models a person has ``depths`` too (K metres from the root), and where the header has a
``camera``, ``metres`` (K times x, y, z from it). Where people were given names, the header has
``names`` by id. All are additions to version 1: a reader that does not know them reads the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np

from posetrack import __version__
from posetrack.camera import Camera
from posetrack.skeletons import Skeleton
from posetrack.types import Floats, Ints, Result, Tracks

SCHEMA = "posetrack/1"
T = TypeVar("T")
_LEAST, _MOST = 1e-6, 1e7
"""Of coordinates (px), seconds, rates and metres that are read: what is beyond is damage."""
_MOST_WHOLE, _MOST_PX = 2**53, 2**20
"""Of frames and ids, which other programs may hold as float64; of widths and heights."""
NEW, TRACKED, LOST = "new", "tracked", "lost"
"""States of a person: seen for the first time, seen, and not seen but predicted or filled in."""


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
        camera: of a 3D model, where it is known.
        names: of people, by id, where somebody gave them.
        version: of posetrack.
        schema: of the file.
    """

    source: str
    size: tuple[int, int]
    fps: float
    skeleton: Skeleton
    models: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    camera: Camera | None = None
    names: Mapping[int, str] = field(default_factory=dict)
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
        if self.camera is not None:
            line["camera"] = self.camera.to_json()
        if self.names:
            line["names"] = {str(each): name for each, name in sorted(self.names.items())}
        return json.dumps(line, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Header:
        """The header of a line; ValueError or KeyError where it is none."""
        data = _parsed(line)
        if not isinstance(data, dict) or "schema" not in data:
            raise ValueError("it is not a posetrack record file")
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']!r}, this version reads {SCHEMA!r}")
        width, height = (_whole(side, "size", 1, _MOST_PX) for side in data["size"])
        names = _kind(data.get("names", {}), dict, "names")
        return cls(
            source=_kind(data["source"], str, "source"),
            size=(width, height),
            fps=_number(data["fps"], "fps", _LEAST, _MOST),
            skeleton=_skeleton(_kind(data["skeleton"], dict, "skeleton")),
            models=_kind(data.get("models", {}), dict, "models"),
            settings=_kind(data.get("settings", {}), dict, "settings"),
            camera=_camera(data["camera"]) if "camera" in data else None,
            names={int(each): _kind(name, str, "names") for each, name in names.items()},
            version=_kind(data.get("version", ""), str, "version"),
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

    @classmethod
    def of(cls, result: Result) -> Self:
        """What is kept of a result."""
        tracks, poses = result.tracks, result.tracks.poses
        return cls(
            result.frame.index,
            result.frame.pts_s,
            result.detector_ran,
            tracks.ids,
            poses.boxes,
            poses.box_scores,
            states(tracks),
            poses.keypoints,
            poses.scores,
            result.raw,
            poses.depths,
        )

    def to_json(self, camera: Camera | None = None) -> str:
        """One line of JSON: px with 2 decimals, scores and metres with 4, seconds with 6."""
        line = {
            "frame": self.frame,
            "pts_s": round(self.pts_s, 6),
            "detector": self.detector_ran,
            "people": self.people(camera),
        }
        return json.dumps(line, separators=(",", ":"))

    def people(self, camera: Camera | None = None) -> list[dict[str, Any]]:
        """Each person as plain numbers, rounded as they are written; metres where there are
        depths and a camera.
        """
        points = np.empty((*self.scores.shape, 3))  # float64: 0.1 is then written as 0.1
        points[..., :2], points[..., 2] = self.keypoints, self.scores
        points[..., :2] = np.round(points[..., :2], 2)
        rows = zip(
            self.ids.tolist(),
            _rounded(self.boxes, 2),
            _rounded(self.box_scores, 4),
            self.states,
            _rounded(points, 4),
            _rounded(self.raw, 2),
            strict=True,
        )
        names = ("id", "box", "score", "state", "keypoints", "raw")
        people = [dict(zip(names, row, strict=True)) for row in rows]
        if self.depths is not None:
            depths = np.round(self.depths.astype(np.float64), 4)
            for person, row in zip(people, depths.tolist(), strict=True):
                person["depths"] = row
            if camera is not None:  # of what is written, so that a copy is the same
                metres = _rounded(camera.positions(points[..., :2], depths), 4)
                for person, row in zip(people, metres, strict=True):
                    person["metres"] = row
        return people

    @classmethod
    def from_json(cls, line: str, keypoints: int) -> Self:
        """The frame of a line; ValueError, KeyError or TypeError where it is none."""
        data = _kind(_parsed(line), dict, "a record")
        people = _kind(data["people"], list, "people")
        n, k = len(people), keypoints

        def column(name: str, *shape: int) -> Any:
            found = np.array([person[name] for person in people])
            if n and (found.shape != (n, *shape) or found.dtype.kind not in "iuf"):
                raise ValueError(f"{name} is not {' x '.join(map(str, shape)) or 'one'} number(s)")
            if not (np.abs(found) <= _MOST).all():
                raise ValueError(f"{name} holds a number that is none, or above {_MOST:g}")
            return found.astype(np.float32).reshape(n, *shape)

        points = column("keypoints", k, 3)
        ids = [_whole(person["id"], "id", -_MOST_WHOLE, _MOST_WHOLE) for person in people]
        if len(set(ids)) < n:
            raise ValueError("an id is there twice")
        has_depths = n > 0 and "depths" in people[0]
        return cls(
            frame=_whole(data["frame"], "frame", 0, _MOST_WHOLE),
            pts_s=_number(data["pts_s"], "pts_s", -_MOST, _MOST),
            detector_ran=_kind(data["detector"], bool, "detector"),
            ids=np.array(ids, np.int64),
            boxes=column("box", 4),
            box_scores=column("score"),
            states=tuple(_state(person["state"]) for person in people),
            keypoints=np.ascontiguousarray(points[..., :2]),
            scores=np.ascontiguousarray(points[..., 2]),
            raw=column("raw", k, 2),
            depths=column("depths", k) if has_depths else None,
        )


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _kind(value: Any, kind: type[T], name: str) -> T:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {type(value).__name__}, not {kind.__name__}")
    return value


def _number(value: Any, name: str, low: float, high: float) -> Any:
    """An int or float within bounds, as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is no number from {low:g} to {high:g}")
    return value


def _whole(value: Any, name: str, low: int, high: int) -> int:
    return _kind(_number(value, name, low, high), int, name)


def _state(value: Any) -> str:
    if value not in (NEW, TRACKED, LOST):
        raise ValueError(f"state is {value!r}, not {NEW}, {TRACKED} or {LOST}")
    return str(value)


def _skeleton(data: dict[str, Any]) -> Skeleton:
    def pairs(name: str) -> tuple[tuple[int, int], ...]:
        return tuple(
            (_whole(a, name, 0, _MOST_PX), _whole(b, name, 0, _MOST_PX))
            for a, b in data.get(name, ())
        )

    return Skeleton(
        name=_kind(data["name"], str, "skeleton"),
        keypoints=tuple(
            _kind(each, str, "keypoints") for each in _kind(data["keypoints"], list, "keypoints")
        ),
        flip_pairs=pairs("flip_pairs"),
        limbs=pairs("limbs"),
        sigmas=tuple(_number(each, "sigmas", _LEAST, _MOST) for each in data.get("sigmas", ())),
    )


def _camera(data: Any) -> Camera:
    camera = Camera.from_json(_kind(data, dict, "camera"))
    for number in (*camera.focal, camera.distance_m):
        _number(number, "camera", _LEAST, _MOST)
    for number in camera.centre:
        _number(number, "camera", -_MOST, _MOST)
    return camera


def states(tracks: Tracks) -> tuple[str, ...]:
    """For each person whether it is new, tracked or lost."""
    return tuple(
        LOST if not seen else NEW if age <= 0 else TRACKED
        for seen, age in zip(tracks.observed.tolist(), tracks.age_s.tolist(), strict=True)
    )


def _rounded(values: Any, decimals: int) -> Any:
    """Nested lists of rounded floats."""
    return np.round(np.asarray(values, np.float64), decimals).tolist()
