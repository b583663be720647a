from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from fakes import TWO_PEOPLE, FakeDetector, FakeEstimator, FakeSink, FakeSource, Person

import posetrack
from posetrack import Detections, Frame, Perception, Result
from posetrack.errors import SinkError, SourceError, SourceNotFound, StageError
from posetrack.runner import Run, run
from posetrack.schedule import WhenNeeded


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def perception(det_interval: int = 5, before: Callable[[], None] = lambda: None) -> Perception:
    return Perception(
        det=FakeDetector(before), pose=FakeEstimator(before=before), det_interval=det_interval
    )


def fingerprint(results: list[Result]) -> list[bytes]:
    return [
        b"".join(
            array.tobytes()
            for array in (
                r.tracks.ids,
                r.tracks.poses.keypoints,
                r.tracks.poses.scores,
                r.tracks.poses.boxes,
                r.raw,
            )
        )
        for r in results
    ]


def test_a_file_is_processed_from_end_to_end() -> None:
    source, sink = FakeSource(frames=20), FakeSink()
    summary = run(source, perception(), [sink])
    assert [r.frame.index for r in sink.results] == list(range(20))
    assert sink.log == ["open", "finish"]
    assert source.log == ["close"]
    assert (summary.frames, summary.people_max, summary.people_mean, summary.ids) == (20, 2, 2, 2)
    assert (summary.detector_runs, summary.dropped, summary.interrupted) == (4, 0, None)
    assert summary.complete
    assert summary.fps == pytest.approx(20 / summary.wall_s)
    assert [stage.stage for stage in summary.stages] == ["capture", "detect", "track", "output"]
    assert all(stage.busy.count == 20 for stage in summary.stages)


def test_results_carry_the_marks_of_every_stage() -> None:
    sink = FakeSink()
    run(FakeSource(frames=6), perception(), [sink])
    inner = ["propose", "pose", "associate"]
    assert [m.stage for m in sink.results[0].marks] == ["capture", "detect", *inner]
    assert [m.stage for m in sink.results[1].marks] == ["capture", *inner]
    assert all(mark.begin <= mark.end for r in sink.results for mark in r.marks)


def test_the_loop_with_threads_gives_what_the_loop_without_gives() -> None:
    sink, alone = FakeSink(), perception()
    run(FakeSource(frames=30), perception(), [sink])
    serial = [alone(frame) for frame in FakeSource(frames=30)]
    assert fingerprint(sink.results) == fingerprint(serial)
    assert [r.detector_ran for r in sink.results] == [r.detector_ran for r in serial]


@pytest.mark.parametrize("seed", range(4))
def test_a_file_gives_the_same_results_whatever_the_timing(seed: int) -> None:
    dice = random.Random(seed)

    def wander() -> None:
        if dice.random() < 0.4:
            time.sleep(dice.random() * 0.004)

    people = (*TWO_PEOPLE, Person(200, (120, 20, 150, 110), (0, 1.5), first=7, last=22))
    calm, shaken = FakeSink(), FakeSink(before=wander)
    run(FakeSource(people, 30), perception(), [calm])
    run(FakeSource(people, 30, before=wander), perception(before=wander), [shaken])
    assert fingerprint(calm.results) == fingerprint(shaken.results)


def test_an_empty_source_finishes_its_outputs() -> None:
    sink = FakeSink()
    summary = run(FakeSource(frames=0), perception(), [sink])
    assert (summary.frames, summary.fps, summary.people_mean) == (0, 0, 0)
    assert sink.log == ["open", "finish"]


def test_each_picture_is_drawn_once_and_given_to_every_sink() -> None:
    drawn: list[int] = []

    def draw(result: Result) -> np.ndarray:
        drawn.append(result.frame.index)
        return np.full((4, 4, 3), result.frame.index, np.uint8)

    sinks = [FakeSink("a"), FakeSink("b")]
    run(FakeSource(frames=5), perception(), sinks, draw=draw)
    assert drawn == list(range(5))
    assert all(sink.images[3][0, 0, 0] == 3 for sink in sinks)


def test_without_drawing_sinks_get_the_frame_itself() -> None:
    sink = FakeSink()
    run(FakeSource(frames=2), perception(), [sink])
    assert sink.images[1] is sink.results[1].frame.image


def test_progress_is_told_after_each_frame() -> None:
    told: list[int] = []
    run(FakeSource(frames=5), perception(), on_progress=lambda r: told.append(r.frame.index))
    assert told == list(range(5))


def test_boxes_from_elsewhere_stand_in_for_the_detector() -> None:
    def boxes(frame: Frame) -> Detections | None:
        if frame.index % 4:
            return None
        return Detections.from_boxes([p.box_at(frame.index) for p in TWO_PEOPLE])

    perceive, sink = perception(), FakeSink()
    summary = run(FakeSource(frames=8), perceive, [sink], boxes=boxes)
    assert summary.people_max == summary.ids == 2
    assert summary.detector_runs == 0
    assert not any(r.detector_ran for r in sink.results)


class FullDisk(FakeSink):
    action = "write"

    def open(self) -> None:
        super().open()
        self.fail("open")

    def write(self, result: Result, image: np.ndarray, /) -> None:
        super().write(result, image)
        if result.frame.index == 3:
            self.fail("write")

    def finish(self) -> None:
        self.fail("finish")
        super().finish()

    def fail(self, action: str) -> None:
        if action == self.action:
            raise SinkError("cannot write a.mp4: the disk is full; make room")


@pytest.mark.parametrize("action", ["open", "write", "finish"])
def test_a_failing_output_aborts_the_others(action: str) -> None:
    first, bad, last = FakeSink(), FullDisk(), FakeSink()
    bad.action = action
    with pytest.raises(StageError, match=r"'output' failed .*: .*the disk is full") as caught:
        run(FakeSource(frames=10), perception(), [first, bad, last])
    assert isinstance(caught.value.__cause__, SinkError)
    assert first.log == ["open", "finish" if action == "finish" else "abort"]
    assert bad.log == ["open", "abort"]
    assert last.log == ([] if action == "open" else ["open", "abort"])


def test_a_failing_detector_is_not_an_empty_frame() -> None:
    def broken() -> None:
        raise RuntimeError("no memory on the device")

    sink = FakeSink()
    perceive = Perception(det=FakeDetector(broken), pose=FakeEstimator())
    with pytest.raises(StageError, match="stage 'detect' failed at frame 0: RuntimeError"):
        run(FakeSource(frames=10), perceive, [sink])
    assert sink.log == ["open", "abort"]


def test_a_source_that_breaks_in_the_middle_is_not_an_end() -> None:
    def broken() -> None:
        if perceive.detector_runs > 1:
            raise SourceError("a.mp4 cannot be decoded")

    perceive, sink = perception(), FakeSink()
    source = FakeSource(frames=1000, before=broken)
    with pytest.raises(StageError, match=r"'capture' failed at frame \d+: a\.mp4 cannot"):
        run(source, perceive, [sink])
    assert sink.log == ["open", "abort"]
    assert source.log == ["close"]


def test_a_stop_finalises_what_was_done() -> None:
    source, sink = FakeSource(frames=100_000), FakeSink()
    told = threading.Event()
    source.stop = told.set  # type: ignore[attr-defined]

    def stop(result: Result) -> None:
        if result.frame.index == 5:
            job.stop()
            told.wait(10)

    job = Run(source, perception(), [sink], on_progress=stop)
    summary = job.execute()
    assert sink.log == ["open", "finish"]
    assert summary.complete
    assert 6 <= summary.frames == len(sink.results) < 100


def test_live_drops_old_frames_and_counts_them() -> None:
    read: list[None] = []
    done: list[None] = []

    def ahead() -> None:  # but never more than a few frames
        while len(read) > 3 * len(done) + 3:
            time.sleep(0.0005)
        read.append(None)

    source = FakeSource(
        frames=100,
        before=ahead,
        is_live=True,
        dropped=7,
        warning="weak signal",
    )
    sink = FakeSink()

    def slow() -> None:  # three frames are read meanwhile, as long as there are any
        while len(read) < min(3 * len(done) + 3, 100):
            time.sleep(0.0005)
        done.append(None)

    summary = run(source, perception(before=slow), [sink])
    assert [stage.stage for stage in summary.stages] == ["capture", "perceive", "output"]
    assert summary.dropped > 7 + 20
    assert summary.frames + summary.dropped == 107
    assert sink.results[-1].frame.index == 99
    assert summary.warnings == ("weak signal",)
    assert summary.ids == 2


def test_track_gives_a_result_a_frame() -> None:
    source = FakeSource(frames=12)
    results = list(posetrack.track(source, det=FakeDetector(), pose=FakeEstimator()))
    assert [r.frame.index for r in results] == list(range(12))
    assert [r.detector_ran for r in results] == [i % 5 == 0 for i in range(12)]
    assert source.log == ["close"]


def test_leaving_the_loop_early_ends_everything() -> None:
    source = FakeSource(frames=100_000)
    results = posetrack.track(source, det=FakeDetector(), pose=FakeEstimator())
    for result in results:
        if result.frame.index == 3:
            break
    results.close()
    assert source.log == ["close"]


def test_track_takes_boxes_without_a_detector() -> None:
    boxes = [p.box for p in TWO_PEOPLE]
    results = posetrack.track(
        FakeSource(frames=3), pose=FakeEstimator(), boxes=lambda _: Detections.from_boxes(boxes)
    )
    assert [len(r.tracks) for r in results] == [2, 2, 2]


def test_track_names_a_missing_file_at_once() -> None:
    with pytest.raises(SourceNotFound, match=r"no such file or folder: nothing\.mp4"):
        posetrack.track("nothing.mp4", det=FakeDetector(), pose=FakeEstimator())


def test_track_takes_the_number_of_a_camera() -> None:
    with pytest.raises(SourceNotFound, match="/dev/video7"):
        posetrack.track(7, det=FakeDetector(), pose=FakeEstimator())


def test_track_says_what_it_can_read() -> None:
    with pytest.raises(TypeError, match=r"source is of list: give a path, .*Perception"):
        posetrack.track(["a.mp4"], det=FakeDetector(), pose=FakeEstimator())  # type: ignore[arg-type]


def test_track_can_detect_where_it_is_needed() -> None:
    results = posetrack.track(
        FakeSource(frames=6), det=FakeDetector(), pose=FakeEstimator(), det_interval=WhenNeeded(3)
    )
    assert [result.detector_ran for result in results][:3] == [True, False, False]


def test_track_says_where_it_failed() -> None:
    def broken() -> None:
        raise RuntimeError("boom")

    results = posetrack.track(
        FakeSource(frames=3), det=FakeDetector(), pose=FakeEstimator(before=broken)
    )
    with pytest.raises(StageError, match="stage 'track' failed at frame 0: RuntimeError: boom"):
        list(results)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finalises_what_was_done_and_is_reported(number: signal.Signals) -> None:
    sink = FakeSink()

    def interrupt(result: Result) -> None:
        if result.frame.index == 5:
            os.kill(os.getpid(), number)

    source = FakeSource(frames=100_000)
    summary = run(source, perception(), [sink], on_progress=interrupt, signals=True)
    assert summary.interrupted == number
    assert summary.complete
    assert sink.log == ["open", "finish"]
