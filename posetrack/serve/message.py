"""The messages that leave the daemon: one a frame, one a change of a track, one a change of state.

Version 1 of the contract. Fields may be added; none changes its meaning or goes::

    {"schema":"posetrack.live/1","type":"poses","stream":"door","frame":412,"pts_ns":...,
     "capture_ns":...,"publish_ns":...,"size":[1280,720],"skeleton":"coco","det":true,"dropped":3,
     "people":[{"id":7,"bbox":[x1,y1,x2,y2],"score":0.9,"state":"tracked","age":1.25,
                "keypoints":[[x,y,score],...],"raw":[[x,y],...]}]}
    {"schema":"posetrack.live/1","type":"new","stream":"door","id":7,"frame":...,"at_ns":...,
     "bbox":[...],"score":0.9,"start_ns":...,"age":0.0}          # type: new, update or end
    {"schema":"posetrack.live/1","type":"status","stream":"door","state":"stalled",...}

Coordinates are pixels of the upright source frame, never of a smaller picture. `pts_ns` counts
from the start of the stream; `capture_ns`, `publish_ns` and `at_ns` are Unix time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any

from posetrack.records.schema import Record
from posetrack.types import Result

SCHEMA = "posetrack.live/1"
UPDATE_S = 1.0
"""A track that goes on is told so often."""


def to_json(message: dict[str, Any]) -> str:
    """One line."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


class Message:
    """Plain data that is written as JSON once, for all who read it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    @cached_property
    def text(self) -> str:
        """One line, without the raw keypoints, as most want it."""
        if "people" not in self.data:
            return self.raw_text
        people = [
            {key: value for key, value in person.items() if key != "raw"}
            for person in self.data["people"]
        ]
        return to_json(self.data | {"people": people})

    @cached_property
    def raw_text(self) -> str:
        """One line with everything."""
        return to_json(self.data)


class Published:
    """One frame as it left the pipeline.

    Attributes:
        stream: the stream's name.
        result: frame, people and timings.
        published_at: `time.perf_counter()`.
        publish_ns: Unix time.
        dropped: frames of the stream that were lost so far.
    """

    def __init__(self, stream: str, result: Result, dropped: int) -> None:
        self.stream, self.result, self.dropped = stream, result, dropped
        self.published_at = perf_counter()
        self.publish_ns = time.time_ns()

    @property
    def latency_s(self) -> float:
        """From capture to here."""
        return self.published_at - self.result.frame.captured_at

    @cached_property
    def message(self) -> Message:
        """All of it as plain numbers; it does not hold the picture."""
        frame = self.result.frame
        data = {
            "schema": SCHEMA,
            "type": "poses",
            "stream": self.stream,
            "frame": frame.index,
            "pts_ns": round(frame.pts_s * 1e9),
            # Both clocks are read once, here: the wall clock may be set between two frames.
            "capture_ns": self.publish_ns - round(self.latency_s * 1e9),
            "publish_ns": self.publish_ns,
            "size": list(frame.size),
            "skeleton": self.result.tracks.poses.skeleton.name,
            "det": self.result.detector_ran,
            "dropped": self.dropped,
            "people": self._people(),
        }
        return Message(data)

    def _people(self) -> list[dict[str, Any]]:
        tracks = self.result.tracks
        people = Record.of(self.result).people()
        for person, age in zip(people, tracks.age_s.tolist(), strict=True):
            person["bbox"] = person.pop("box")
            person["age"] = round(age, 3)
        return people


@dataclass(slots=True)
class _Track:
    start_ns: int
    told_s: float
    seen_s: float
    last: dict[str, Any]


@dataclass
class TrackEvents:
    """Turns frames into events: a track is new, goes on, and ends once it is not seen any more.

    Attributes:
        patience_s: unseen for longer, a track has ended; seen again later it is new again, with
            the id it had.
    """

    stream: str
    patience_s: float
    _tracks: dict[int, _Track] = field(default_factory=dict)

    def of(self, frame: Published) -> Iterator[Message]:
        """What is to be told about the tracks at this frame."""
        now_s, at_ns = frame.result.frame.pts_s, frame.publish_ns
        for person in frame.message.data["people"]:
            track_id = person["id"]
            about = {
                "frame": frame.result.frame.index,
                "bbox": person["bbox"],
                "score": person["score"],
            }
            track = self._tracks.get(track_id)
            if track is None:
                self._tracks[track_id] = track = _Track(at_ns, now_s, now_s, about)
                yield self._event("new", track_id, track, at_ns)
            track.seen_s, track.last = now_s, about
            if now_s - track.told_s >= UPDATE_S:
                track.told_s = now_s
                yield self._event("update", track_id, track, at_ns)
        gone = [k for k, t in self._tracks.items() if now_s - t.seen_s > self.patience_s]
        for track_id in gone:
            yield self._event("end", track_id, self._tracks.pop(track_id), at_ns)

    def end_all(self) -> Iterator[Message]:
        """Every track ends, because the stream does."""
        at_ns = time.time_ns()
        for track_id in list(self._tracks):
            yield self._event("end", track_id, self._tracks.pop(track_id), at_ns)

    def _event(self, kind: str, track_id: int, track: _Track, at_ns: int) -> Message:
        about = {"type": kind, "stream": self.stream, "id": track_id, "at_ns": at_ns}
        return Message({"schema": SCHEMA, **about, "start_ns": track.start_ns, **track.last})


def status_message(stream: str, state: str, error: str | None) -> Message:
    """That a stream's state has changed."""
    about = {"type": "status", "stream": stream, "state": state, "error": error}
    return Message({"schema": SCHEMA, **about, "at_ns": time.time_ns()})
