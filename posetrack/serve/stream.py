"""One stream: opened, tracked, published, and started again whatever happens to it."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from threading import Event, RLock, Thread
from time import perf_counter
from typing import Any

from posetrack.errors import PosetrackError, StageError
from posetrack.perception import Perception
from posetrack.pipeline import Pipeline, Stage
from posetrack.runner import Capture, Perceive, PerceiveLate, Work
from posetrack.serve.addresses import AddressRules
from posetrack.serve.hub import Hub, Item
from posetrack.serve.logs import log
from posetrack.serve.message import Published, TrackEvents, status_message
from posetrack.serve.metrics import Metrics
from posetrack.serve.models import Models
from posetrack.serve.pictures import Preview
from posetrack.serve.redaction import redacted
from posetrack.serve.settings import StreamSettings, expanded
from posetrack.serve.sources import Continued, open_live
from posetrack.serve.state import Figures, State
from posetrack.serve.tuning import check, needs_restart, tune
from posetrack.types import Result

_STEADY_S = 10.0
"""After so long without a failure the next pause is the shortest again."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all streams share.

    Attributes:
        models: the networks.
        hub: where frames go.
        metrics: what is counted.
        rules: which addresses the API may name.
    """

    models: Models
    hub: Hub
    metrics: Metrics
    rules: AddressRules


class Stream:
    """One supervised pipeline in threads of its own.

    Attributes:
        settings: as they are now.
        from_api: named by the API, so that its address is checked and nothing is expanded in it.
        state: what it is doing.
        error: the last thing that went wrong, without passwords; None where nothing did.
        figures: how it goes.
        latest: the newest published frame.
    """

    def __init__(
        self, settings: StreamSettings, around: Surroundings, *, from_api: bool = False
    ) -> None:
        self.settings, self.from_api = settings, from_api
        self.id = settings.id
        self.state: State = "connecting"
        self.since = time.time()
        self.error: str | None = None
        self.figures = Figures()
        self.latest: Published | None = None
        self._around = around
        self._stop, self._wake = Event(), Event()
        self._lock = RLock()
        self._perception: Perception | None = None
        self._running: Pipeline | None = None
        self._pending: StreamSettings | None = None
        self._fresh_models = False
        self._next_id, self._next_frame = 1, 0
        self._clock_s = perf_counter()
        self._size: tuple[int, int] | None = None  # of the pictures in which people are known
        self._stalled_at: float | None = None
        self._thread = Thread(target=self._main, name=f"stream-{self.id}", daemon=True)

    @property
    def perception(self) -> Perception | None:
        """Its models and tracker, to look at; None where they are not open."""
        return self._perception

    def start(self) -> None:
        """Begin, in a thread."""
        self._around.metrics.begin_stream(self.id)
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; `join` waits for it."""
        self._stop.set()
        self.interrupt()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended within so long."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def change(self, settings: StreamSettings) -> bool:
        """Take other settings from the next frame on; whether it is opened anew for them.

        Raises:
            Unfit: settings that this stream cannot take; nothing has changed then.
        """
        with self._lock:
            old, perception = self.settings, self._perception
            if perception is not None:
                check(perception, settings, self.figures.size)
            restart = needs_restart(old, settings)
            self.settings = settings
            if restart:
                self._fresh_models = True
            else:
                self._pending = settings
        if restart:
            self.interrupt()
        return restart

    def interrupt(self) -> None:
        """End what is running; it begins again unless the stream was stopped."""
        self._wake.set()
        with self._lock:
            running = self._running
        if running is not None:
            running.stop()

    def watch(self, now: float) -> None:
        """Notice that no frames come, and open everything anew where that lasts."""
        limits = self.settings.watch
        with self._lock:  # or a frame, or the end, between the look and the word is overruled
            last = self.figures.last_at
            if self.state == "running" and last is not None and now - last > limits.stall_s:
                self._stalled_at = now
                self._become("stalled", f"no frame for {limits.stall_s:g} s")
            elif (
                self.state == "stalled"
                and self._stalled_at is not None
                and now - self._stalled_at > limits.restart_s - limits.stall_s
            ):
                self._stalled_at = None
                log.warning("stalled: it is opened anew", extra={"stream": self.id})
                self.interrupt()

    def shown(self) -> dict[str, Any]:
        """Everything about it, as plain data without passwords."""
        settings = self.settings.model_dump(mode="json")
        settings["url"] = redacted(settings["url"])
        return {
            "id": self.id,
            "url": settings["url"],
            "state": self.state,
            "since": round(self.since, 3),
            "error": self.error,
            "from_api": self.from_api,
            **self.figures.shown(),
            "settings": settings,
        }

    # in the stream's own thread

    def _main(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._wake.clear()
            if not self.settings.enabled:
                self._become("stopped", None)
                self._wake.wait()
                continue
            begin = perf_counter()
            failure = self._attempt()
            woken = self._stop.is_set() or self._wake.is_set()
            if woken or self._fresh_models or not self.settings.enabled:
                failures = 0
                continue
            if failure is None:  # a file that is over
                self._become("stopped", None)
                self._wake.wait()
                continue
            failures = 0 if perf_counter() - begin > _STEADY_S else failures + 1
            self._lost(failure, failures)
        self._become("stopped", self.error)

    def _lost(self, failure: str, failures: int) -> None:
        """Say so, and wait for the next attempt."""
        limits, last = self.settings.watch, self.figures.last_at
        fresh = last is not None and perf_counter() - last < limits.restart_s
        self._stalled_at = None
        self._become("stalled" if fresh else "failed", failure)
        pause_s = min(limits.backoff_s * 2.0 ** min(failures - 1, 30), limits.longest_backoff_s)
        self._wake.wait(pause_s * random.uniform(0.75, 1.25))

    def _attempt(self) -> str | None:
        """Open and run until the end; why it ended, None where a file is over."""
        try:
            with self._lock:
                settings, self._fresh_models = self.settings, False
            with self._around.models.perception(settings, fps=25.0) as perception:
                perception.tracker.number_from(self._next_id)
                self._perception, self._size = perception, None
                try:
                    return self._stay(perception)
                finally:
                    self._next_id = perception.tracker.next_id
                    self._perception = None
        except PosetrackError as error:
            return _reason(error)
        except Exception as error:  # noqa: BLE001 - the top of a thread that must go on
            log.exception("internal error", extra={"stream": self.id})
            return f"internal error, {type(error).__name__}: {redacted(str(error))}"

    def _stay(self, perception: Perception) -> str | None:
        """Read again what is lost, with the same people known, until something else is wrong."""
        failures = 0
        while True:
            begin = perf_counter()
            lost = self._run(perception)
            if lost is None or self._stop.is_set() or self._wake.is_set():
                return lost
            failures = 0 if perf_counter() - begin > _STEADY_S else failures + 1
            self._lost(lost, failures)
            self._wake.clear()
            if self._stop.is_set() or self._fresh_models or not self.settings.enabled:
                return lost

    def _run(self, perception: Perception) -> str | None:
        """One connection, from its opening to its end; why it ended, None where a file is over.

        Raises:
            StageError: the work on its frames failed.
        """
        if self.state not in ("stalled", "failed"):  # which it stays until frames come
            self._become("connecting", self.error)
        settings = self.settings
        try:
            source = Continued(
                open_live(settings, self._address(settings), self._size),
                first=self._next_frame,
                clock_s=self._clock_s,
            )
        except PosetrackError as error:
            return _reason(error)
        late = settings.detector.asynchronous
        perceive: Stage = PerceiveLate(perception) if late else Perceive(perception)
        output = _Publish(self, source, perception)
        pipeline = Pipeline(
            Capture(source),
            [_Tuned(perceive, self, perception), output],
            capacity=[1, 1],
            live=True,
            deadline_s=4.0,
            index_of=lambda work: work.frame.index,
        )
        output.pipeline = pipeline
        with self._lock:
            self._running = pipeline
        if self._stop.is_set() or self._wake.is_set():
            pipeline.stop()
        try:
            pipeline.run()
        except StageError as error:
            if error.stage == "capture":
                return _reason(error)
            raise
        finally:
            with self._lock:
                self._running = None
            output.pipeline = None  # each held the other, and the source with its decoder
            source.stop()
            self._next_frame = source.next
            for event in output.events.end_all():
                self._around.hub.publish(Item("events", self.id, event))
        is_file = not settings.loop and source.is_over
        return None if is_file else f"{source.name} ended"

    def _address(self, settings: StreamSettings) -> str:
        if self.from_api:
            return self._around.rules.check(settings.url)
        return expanded(settings.url, os.environ)

    def _become(self, state: State, error: str | None) -> None:
        with self._lock:
            # First: whoever sees the state finds it among the figures too.
            self._around.metrics.show_state(self.id, state)
            if error != self.error or state != self.state:
                changed = state != self.state
                self.state, self.error = state, error
                if changed:
                    self.since = time.time()
                    say = log.warning if state in ("stalled", "failed") else log.info
                    say("%s%s", state, f": {error}" if error else "", extra={"stream": self.id})
                message = status_message(self.id, state, error)
                self._around.hub.publish(Item("status", self.id, message))

    # in the pipeline's threads

    def _take_changes(self, perception: Perception) -> None:
        """Apply what was changed since the last frame."""
        if self._pending is None:
            return
        with self._lock:
            settings, self._pending = self._pending, None
        if settings is not None:
            tune(perception, settings)

    def _came(self, item: Published, *, is_first: bool) -> None:
        """A frame was published, the first of its connection or another."""
        if is_first and self.latest is not None:
            self.figures.reconnects += 1
            self._around.metrics.reconnects.labels(self.id).inc()
        self.latest, self._size = item, item.result.frame.size
        with self._lock:
            self.figures.count(item)
            if self.state != "running":
                self._become("running", None)


class _Tuned(Stage):
    """A stage before whose frames changed settings are applied, in its own thread."""

    def __init__(self, stage: Stage, stream: Stream, perception: Perception) -> None:
        self.name = stage.name
        self._stage, self._stream, self._perception = stage, stream, perception

    def open(self) -> None:
        self._stage.open()

    def __call__(self, work: Work, /) -> Result:
        self._stream._take_changes(self._perception)
        result: Result = self._stage(work)
        return result

    def close(self) -> None:
        self._stage.close()


@dataclass
class _Publish(Stage):
    """Hands each frame to all who listen, and counts."""

    stream: Stream
    source: Continued
    perception: Perception
    name: str = "publish"
    pipeline: Pipeline | None = None
    _late: int = 0
    _lost: int = 0
    _first_id: int = 0
    _is_first: bool = True

    def __post_init__(self) -> None:
        stream = self.stream
        settings = self.perception.tracker.settings
        self.events = TrackEvents(stream.id, settings.max_missing_s)
        self._preview = Preview(stream._around.hub, stream.id)
        self._first_id = self.perception.tracker.next_id

    def __call__(self, result: Result, /) -> Result:
        """The result, published."""
        stream = self.stream
        hub = stream._around.hub
        self._count_drops()
        item = Published(stream.id, result, stream.figures.dropped)
        self._measure(item)  # first: whoever sees that it runs finds the figures of this frame
        stream._came(item, is_first=self._is_first)
        self._is_first = False
        hub.publish(Item("frames", stream.id, item))
        hub.publish(Item("poses", stream.id, item.message))
        for event in self.events.of(item):
            hub.publish(Item("events", stream.id, event))
        self._preview.show(result, stream.settings, self.perception.visible_score)
        return result

    def _count_drops(self) -> None:
        figures, dropped = self.stream.figures, self.stream._around.metrics.dropped
        assert self.pipeline is not None
        late, lost = self.pipeline.dropped, self.source.dropped
        figures.dropped_late += late - self._late
        figures.dropped_source += lost - self._lost
        dropped.labels(self.stream.id, "late").inc(late - self._late)
        dropped.labels(self.stream.id, "source").inc(lost - self._lost)
        self._late, self._lost = late, lost

    def _measure(self, item: Published) -> None:
        metrics, name = self.stream._around.metrics, self.stream.id
        metrics.frames.labels(name).inc()
        metrics.latency.labels(name).observe(item.latency_s)
        metrics.people.labels(name).set(len(item.result.tracks))
        for mark in item.result.marks:
            metrics.stage.labels(name, mark.stage).observe(mark.end - mark.begin)
        next_id = self.perception.tracker.next_id
        metrics.tracks.labels(name).inc(next_id - self._first_id)
        self.stream.figures.tracks += next_id - self._first_id
        self._first_id = next_id


def _reason(error: PosetrackError) -> str:
    """Why, in one line without passwords."""
    cause = error.__cause__
    inner = isinstance(error, StageError) and isinstance(cause, PosetrackError)
    return " ".join(redacted(str(cause if inner else error)).split())
