"""A source, a perception and its outputs as one pipeline: capture | detect | track | output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from threading import get_native_id
from time import perf_counter
from typing import Any, Protocol

from posetrack.late import LateDetector
from posetrack.media.sink import Sink as Sink
from posetrack.perception import BoxesOf, Perception
from posetrack.pipeline import Pipeline, Report, Spread, Stage, StageTimes, stop_on_signals
from posetrack.records import Recording, as_result
from posetrack.types import Detections, Frame, Image, Mark, Result, Tracks

_NICE = 10
AHEAD = 8
"""Frames that wait before the tracking stage at most, so that the detector can run ahead."""


class FrameSource(Protocol):
    """What the runner needs of `posetrack.media.Source`."""

    @property
    def is_live(self) -> bool:
        """Whether old frames are dropped for new ones."""
        ...

    @property
    def dropped(self) -> int:
        """Frames the source itself lost."""
        ...

    @property
    def warning(self) -> str | None:
        """One line about what was wrong with it, known at the end."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in order."""
        ...

    def close(self) -> None:
        """Give back the file or device."""
        ...


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        frames: how many went through.
        people_max: most people in one frame.
        people_mean: people a frame.
        ids: different people.
        wall_s: from the first read to the end.
        fps: frames over `wall_s`.
        detector_runs: frames on which the detector ran.
        dropped: frames a live run skipped, here and in the source.
        latency: of a frame, from read to written.
        stages: busy and waiting times of each.
        warnings: one line each.
        interrupted: number of the first signal that came, None if none.
        complete: outputs are finalised (false after a second signal).
    """

    frames: int
    people_max: int
    people_mean: float
    ids: int
    wall_s: float
    fps: float
    detector_runs: int
    dropped: int
    latency: Spread
    stages: tuple[StageTimes, ...]
    warnings: tuple[str, ...]
    interrupted: int | None
    complete: bool


@dataclass(slots=True)
class Work:
    """A frame on its way to a result."""

    frame: Frame
    detections: Detections | None = None
    detector_ran: bool = False
    marks: tuple[Mark, ...] = ()


class Capture:
    """Reads frames; the head of the pipeline."""

    name = "capture"

    def __init__(self, source: FrameSource, last: int | None = None) -> None:
        """Read `source` to its end, or to the frame with index `last`."""
        self._source, self._last = source, last

    def open(self) -> None:
        """Sources open when they are made."""

    def __iter__(self) -> Iterator[Work]:
        begin = perf_counter()
        for frame in self._source:
            if self._last is not None and frame.index > self._last:
                return
            yield Work(frame, marks=(Mark(self.name, begin, perf_counter()),))
            begin = perf_counter()

    def stop(self) -> None:
        """Wake a live source that waits for a picture."""
        stop = getattr(self._source, "stop", None)
        if stop is not None:
            stop()

    def close(self) -> None:
        """Give back the file or device."""
        self._source.close()


class Detect(Stage):
    """Adds detections on detector frames; depends on no track, so it may run ahead."""

    name = "detect"

    def __init__(self, perception: Perception, boxes: BoxesOf | None = None) -> None:
        self._perception, self._boxes = perception, boxes

    def open(self) -> None:
        """Give way to the other stages: they wait for each other, nobody waits for this one."""
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)

    def __call__(self, work: Work, /) -> Work:
        """The same work with its detections, if there are any."""
        if self._boxes is not None:
            work.detections = self._boxes(work.frame)
            return work
        begin = perf_counter()
        work.detections = self._perception.detect(work.frame)
        if work.detections is not None:
            work.detector_ran = True
            work.marks = (*work.marks, Mark(self.name, begin, perf_counter()))
        return work


class Track(Stage):
    """Poses, identities and smoothing: needs the tracks of the frame before."""

    name = "track"

    def __init__(self, perception: Perception) -> None:
        self._perception = perception

    def __call__(self, work: Work, /) -> Result:
        """The people of the frame."""
        return self._perception.track(
            work.frame, work.detections, detector_ran=work.detector_ran, marks=work.marks
        )


class Perceive(Stage):
    """Both in one: live, a detector ahead of the poses would only make the newest frame older."""

    name = "perceive"

    def __init__(self, perception: Perception, boxes: BoxesOf | None = None) -> None:
        self._detect, self._track = Detect(perception, boxes), Track(perception)

    def __call__(self, work: Work, /) -> Result:
        """The people of the frame."""
        return self._track(self._detect(work))


class PerceiveLate(Stage):
    """The same without ever waiting for the detector."""

    name = "perceive"

    def __init__(self, perception: Perception) -> None:
        self._detector, self._track = LateDetector(perception), Track(perception)

    def __call__(self, work: Work, /) -> Result:
        """The people of the frame."""
        work.detections = self._detector(work.frame)
        work.detector_ran = work.detections is not None
        return self._track(work)

    def close(self) -> None:
        """End the detector's thread."""
        self._detector.close()


class Replay(Stage):
    """Puts recorded people in the frames of their source."""

    name = "replay"

    def __init__(self, recording: Recording) -> None:
        self._header = recording.header
        self._records = {record.frame: record for record in recording.records()}

    def __call__(self, work: Work, /) -> Result:
        """Who was found in the frame."""
        frame = work.frame
        record = self._records.get(frame.index)
        if record is None:
            nobody = Tracks.empty(self._header.skeleton)
            return Result(frame, nobody, nobody.poses.keypoints, False, work.marks)
        return replace(as_result(record, frame, self._header), marks=work.marks)


@dataclass
class Output(Stage):
    """Draws each result once and writes it to every sink.

    Attributes:
        frames: results written.
        people: sum of the people over all frames.
        people_max: most people in one frame.
        ids: every id seen.
    """

    sinks: Sequence[Sink]
    draw: Callable[[Result], Image] | None = None
    on_progress: Callable[[Result], None] | None = None
    name: str = "output"
    frames: int = 0
    people: int = 0
    people_max: int = 0
    ids: set[int] = field(default_factory=set)
    _opened: ExitStack = field(default_factory=ExitStack)

    def open(self) -> None:
        """Open every sink, or none."""
        with ExitStack() as opened:
            for sink in self.sinks:
                opened.callback(sink.abort)
                sink.open()
            self._opened = opened.pop_all()

    def __call__(self, result: Result, /) -> Result:
        """The result, written."""
        image = result.frame.image if self.draw is None else self.draw(result)
        for sink in self.sinks:
            sink.write(result, image)
        self.frames += 1
        self.people += len(result.tracks)
        self.people_max = max(self.people_max, len(result.tracks))
        self.ids.update(result.tracks.ids.tolist())
        if self.on_progress is not None:
            self.on_progress(result)
        return result

    def finish(self) -> None:
        """Finalise every sink; one that fails and those after it are aborted in `close`."""
        for sink in self.sinks:
            sink.finish()

    def close(self) -> None:
        """Abort the sinks that are not finished (it does nothing to those that are)."""
        self._opened.close()


def make_pipeline(
    source: FrameSource,
    perception: Perception,
    last: Sequence[Stage] = (),
    *,
    boxes: BoxesOf | None = None,
    live: bool | None = None,
    late_detector: bool = False,
    deadline_s: float = 10.0,
) -> Pipeline:
    """The pipeline from `source` to results, then through the stages of `last`.

    On files the detector has its own stage, ahead of the poses, and nothing is dropped; live,
    the newest frame wins.

    Args:
        source: closed by the run.
        perception: stays open.
        last: what happens to the results.
        boxes: people known from elsewhere, in place of the detector.
        live: None asks the source.
        late_detector: never wait for the detector.
        deadline_s: how long a stage may take for one call once the run is stopping.
    """
    live = source.is_live if live is None else live
    room = 1 if live else 2
    capacity = [room, *[room] * len(last)]
    if late_detector and boxes is None:
        middle: list[Stage] = [PerceiveLate(perception)]
    elif live or perception.schedule.needs_tracks:
        middle = [Perceive(perception, boxes)]
    else:
        middle = [Detect(perception, boxes), Track(perception)]
        capacity.insert(1, min(max(perception.schedule.interval, 2), AHEAD))
    return Pipeline(
        Capture(source),
        [*middle, *last],
        capacity=capacity,
        live=live,
        deadline_s=deadline_s,
        index_of=lambda work: work.frame.index,
    )


class Run:
    """One run from a source to its outputs: make it, then `execute` it, once."""

    def __init__(
        self,
        source: FrameSource,
        perception: Perception,
        sinks: Sequence[Sink] = (),
        *,
        draw: Callable[[Result], Image] | None = None,
        on_progress: Callable[[Result], None] | None = None,
        boxes: BoxesOf | None = None,
        live: bool | None = None,
        late_detector: bool = False,
        deadline_s: float = 10.0,
    ) -> None:
        """Prepare; nothing is read or written yet.

        Args:
            source: closed at the end, whatever happens.
            perception: stays open.
            sinks: each gets every result; opened, written and ended in one thread.
            draw: the picture that sinks get; without it they get the frame's own.
            on_progress: called after each frame, in the output thread.
            boxes: people known from elsewhere, in place of the detector.
            live: drop frames that are too old; None asks the source.
            late_detector: never wait for the detector; which frames it saw is then up to chance.
            deadline_s: how long a stage may take for one call once the run is stopping.
        """
        self._source, self._perception, self._sinks = source, perception, sinks
        self._output = Output(sinks, draw, on_progress)
        self._pipeline = make_pipeline(
            source,
            perception,
            [self._output],
            boxes=boxes,
            live=live,
            late_detector=late_detector,
            deadline_s=deadline_s,
        )
        self._runs_before = perception.detector_runs

    def stop(self) -> None:
        """Finish what was read and finalise the outputs; the second call drops it instead."""
        self._pipeline.stop()

    def execute(self, *, signals: bool = False) -> RunSummary:
        """What happened between the first frame and the last.

        Args:
            signals: `stop` at SIGINT and SIGTERM (main thread only).

        Raises:
            StageError: a stage failed, its cause attached; the outputs are not finalised.
        """
        with ExitStack() as stack:
            received = stack.enter_context(stop_on_signals(self)) if signals else []
            report = self._pipeline.run()
        runs = self._perception.detector_runs - self._runs_before
        return summarise(self._source, self._output, report, received, runs)


def summarise(
    source: FrameSource, output: Output, report: Report, received: Sequence[int], detector_runs: int
) -> RunSummary:
    """What a pipeline that ended with `output` did, stopped by the first signal of `received`."""
    frames = output.frames
    warnings = [source.warning, *(getattr(sink, "warning", None) for sink in output.sinks)]
    return RunSummary(
        frames=frames,
        people_max=output.people_max,
        people_mean=output.people / frames if frames else 0.0,
        ids=len(output.ids),
        wall_s=report.wall_s,
        fps=frames / report.wall_s if report.wall_s > 0 else 0.0,
        detector_runs=detector_runs,
        dropped=report.dropped + source.dropped,
        latency=report.latency,
        stages=report.stages,
        warnings=tuple(warning for warning in warnings if warning),
        interrupted=received[0] if received else None,
        complete=report.complete,
    )


def replay(
    source: FrameSource,
    recording: Recording,
    sinks: Sequence[Sink],
    *,
    draw: Callable[[Result], Image] | None = None,
    on_progress: Callable[[Result], None] | None = None,
    signals: bool = False,
) -> RunSummary:
    """The source once more, with the people of `recording` in place of a perception.

    Args:
        source: what the recording was made from; closed at the end.
        recording: frames it does not hold have nobody in them, and nothing after its last is read.
        sinks: each gets every result.
        draw: the picture that sinks get; without it they get the frame's own.
        on_progress: called after each frame, in the output thread.
        signals: stop at SIGINT and SIGTERM (main thread only).
    """
    last = int(recording.frames[-1]) if len(recording.frames) else -1
    output = Output(sinks, draw, on_progress)
    pipeline = Pipeline(
        Capture(source, last),
        [Replay(recording), output],
        capacity=[2, 2],
        index_of=lambda work: work.frame.index,
    )
    with ExitStack() as stack:
        received = stack.enter_context(stop_on_signals(pipeline)) if signals else []
        report = pipeline.run()
    return summarise(source, output, report, received, 0)


def run(
    source: FrameSource,
    perception: Perception,
    sinks: Sequence[Sink] = (),
    *,
    signals: bool = False,
    **options: Any,
) -> RunSummary:
    """What happened: a `Run` with these `options`, executed."""
    return Run(source, perception, sinks, **options).execute(signals=signals)
