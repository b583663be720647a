"""When the detector looks: by turns, or where it is needed; and answers that come late."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fakes import FPS, TWO_PEOPLE, FakeDetector, FakeEstimator, Person, draw_people
from waiting import wait_until

from posetrack.late import LateDetector, carried
from posetrack.perception import Perception
from posetrack.schedule import Every, WhenNeeded
from posetrack.types import Detections, Frame

STANDING = (Person(60, (20, 30, 60, 130)), Person(120, (220, 40, 260, 140)))


def looks(scene: tuple[Person, ...], frames: int, schedule: WhenNeeded) -> list[int]:
    """The frames in which the detector ran."""
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=schedule)
    return [
        index
        for index in range(frames)
        if perception(draw_people(scene, index), index / FPS).detector_ran
    ]


def test_nothing_new_is_looked_at_once_a_while() -> None:
    assert looks(STANDING, 100, WhenNeeded(5, 1.0)) == [0, 25, 50, 75]


def test_people_who_are_followed_explain_their_motion() -> None:
    assert looks(TWO_PEOPLE, 40, WhenNeeded(5, 1.0)) == [0, 25]


def test_somebody_new_is_seen_at_the_next_turn() -> None:
    scene = (*STANDING, Person(200, (130, 60, 170, 180), first=12))
    assert looks(scene, 25, WhenNeeded(5, 1.0)) == [0, 12]
    assert looks(scene, 25, WhenNeeded(15, 1.0)) == [0, 15]


def test_somebody_lost_is_looked_for() -> None:
    scene = (STANDING[0], Person(120, (220, 40, 260, 140), last=9))
    ran = looks(scene, 25, WhenNeeded(3, 5.0))
    assert ran[0] == 0
    assert 10 <= ran[1] <= 12


def test_brighter_light_is_no_motion() -> None:
    schedule = WhenNeeded(1, 10.0)
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=schedule)
    image = np.full((240, 320, 3), 60, np.uint8)
    perception(image, 0.0)
    assert not perception(image + np.uint8(50), 0.04).detector_ran


def test_a_new_stream_begins_with_a_look() -> None:
    schedule = WhenNeeded(5, 1.0)
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=schedule)
    for index in range(3):
        perception(draw_people(STANDING, index), 100 + index / FPS)
    perception.reset()
    assert perception(draw_people(STANDING, 0), 0.0).detector_ran


def test_time_that_goes_back_is_a_reason() -> None:
    schedule = WhenNeeded(2, 1.0)
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=schedule)
    ran = [perception(draw_people(STANDING, 0), t_s).detector_ran for t_s in (9.0, 9.04, 0.0, 0.04)]
    assert ran == [True, False, True, False]


@pytest.mark.parametrize(("interval", "turns"), [(1, 6), (3, 2), (0, 0), (-1, 0)])
def test_every(interval: int, turns: int) -> None:
    schedule, frame = Every(interval), Frame(np.zeros((8, 8, 3), np.uint8), 0, 0.0, 0.0)
    assert sum(schedule.due(frame, None) for _ in range(6)) == turns


def test_a_late_answer_moves_with_the_people() -> None:
    scene = (Person(60, (20, 30, 60, 130), (4.0, 0.0)),)
    perception = Perception(det=None, pose=FakeEstimator())
    boxes = [person.box_at(0) for person in scene]
    then = perception(draw_people(scene, 0), 0.0, boxes=boxes).tracks
    for index in range(1, 6):
        now = perception(draw_people(scene, index), index / FPS).tracks
    found = Detections.from_boxes([scene[0].box_at(0), [200, 30, 240, 130]])
    moved = carried(found, then, now).boxes
    assert moved[0] == pytest.approx(scene[0].box_at(5), abs=3)
    assert moved[1] == pytest.approx([200, 30, 240, 130])


def test_nobody_waits_for_a_late_detector() -> None:
    gate = threading.Event()
    slow = FakeDetector(before=lambda: gate.wait(30))
    perception = Perception(det=slow, pose=FakeEstimator())
    late = LateDetector(perception)
    frames = [Frame(draw_people(TWO_PEOPLE, index), index, index / FPS, 0.0) for index in range(12)]
    for frame in frames[:6]:
        assert late(frame) is None, "the detector has not answered"
        assert slow.calls == 0, "nor was it waited for"
        assert len(perception.track(frame, None).tracks) == 0
    gate.set()
    wait_until(lambda: late._asked[0].done(), "it has answered")
    found = late(frames[6])
    assert found is not None
    assert len(perception.track(frames[6], found).tracks) == 2
    late.close()


def test_what_fails_in_the_late_detector_is_raised() -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    late = LateDetector(Perception(det=FakeDetector(before=fail), pose=FakeEstimator()))
    frame = Frame(draw_people(TWO_PEOPLE, 0), 0, 0.0, 0.0)
    assert late(frame) is None
    wait_until(lambda: late._asked[0].done(), "it has failed")
    with pytest.raises(RuntimeError, match="out of memory"):
        late(frame)
    late.close()
