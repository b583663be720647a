from __future__ import annotations

import json
import time

import numpy as np
from fakes import COCO, TWO_PEOPLE, FakeDetector, FakeEstimator, FakeSource

from posetrack import Perception
from posetrack.serve.message import Published, TrackEvents
from posetrack.types import Frame, Result, Tracks


def results(count: int) -> list[Result]:
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=5)
    return [perception(frame) for frame in FakeSource(frames=count)]


def nobody(t_s: float) -> Result:
    frame = Frame(np.zeros((240, 320, 3), np.uint8), 99, t_s, time.perf_counter())
    tracks = Tracks.empty(COCO)
    return Result(frame, tracks, tracks.poses.keypoints, False)


def test_a_message_says_who_is_where_and_when() -> None:
    before = time.time_ns()
    first, last = (Published("door", result, 3) for result in results(2))
    data = json.loads(last.message.raw_text)
    assert data["schema"] == "posetrack.live/1"
    assert (data["type"], data["stream"], data["frame"], data["dropped"]) == ("poses", "door", 1, 3)
    assert data["pts_ns"] == 40_000_000
    assert data["size"] == [320, 240]
    assert before - 10**9 < data["capture_ns"] <= data["publish_ns"]
    assert [person["id"] for person in data["people"]] == [1, 2]
    person = data["people"][0]
    assert np.abs(np.subtract(person["bbox"], TWO_PEOPLE[0].box_at(1))).max() < 3
    assert len(person["keypoints"]) == len(person["raw"]) == 17
    assert (person["state"], person["age"]) == ("tracked", 0.04)
    assert json.loads(first.message.text)["people"][0]["state"] == "new"
    assert "raw" not in json.loads(first.message.text)["people"][0]


def test_a_track_is_new_goes_on_and_ends() -> None:
    events = TrackEvents("door", patience_s=1.0)
    told = [
        (event.data["type"], event.data["id"], event.data["frame"])
        for result in results(30)
        for event in events.of(Published("door", result, 0))
    ]
    assert told == [("new", 1, 0), ("new", 2, 0), ("update", 1, 25), ("update", 2, 25)]
    assert not list(events.of(Published("door", nobody(1.5), 0)))
    ended = list(events.of(Published("door", nobody(2.5), 0)))
    assert [(e.data["type"], e.data["id"], e.data["frame"]) for e in ended] == [
        ("end", 1, 29),
        ("end", 2, 29),
    ]
    assert ended[0].data["start_ns"] <= ended[0].data["at_ns"]


def test_every_track_ends_with_its_stream() -> None:
    events = TrackEvents("door", patience_s=1.0)
    for result in results(3):
        list(events.of(Published("door", result, 0)))
    assert [event.data["type"] for event in events.end_all()] == ["end", "end"]
    assert not list(events.end_all())
