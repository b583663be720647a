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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from posetrack import __version__
from posetrack.camera import Camera
from posetrack.skeletons import Skeleton
from posetrack.types import Floats, Ints, Result, Tracks

SCHEMA = "posetrack/1"
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
            camera=Camera.from_json(data["camera"]) if "camera" in data else None,
            names={int(each): str(name) for each, name in dict(data.get("names", {})).items()},
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
        data = json.loads(line)
        people = data["people"]
        n, k = len(people), keypoints

        def column(get: Callable[[Any], Any], dtype: Any, *shape: int) -> Any:
            return np.array([get(person) for person in people], dtype).reshape(n, *shape)

        points = column(lambda p: p["keypoints"], np.float32, k, 3)
        has_depths = n > 0 and "depths" in people[0]
        return cls(
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


def states(tracks: Tracks) -> tuple[str, ...]:
    """For each person whether it is new, tracked or lost."""
    return tuple(
        LOST if not seen else NEW if age <= 0 else TRACKED
        for seen, age in zip(tracks.observed.tolist(), tracks.age_s.tolist(), strict=True)
    )


def _rounded(values: Any, decimals: int) -> Any:
    """Nested lists of rounded floats."""
    return np.round(np.asarray(values, np.float64), decimals).tolist()
