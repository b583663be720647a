"""A linear chain of stages, one thread each: start together, fail together, stop in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread, current_thread, main_thread
from time import perf_counter
from typing import Any

from posetrack.errors import PosetrackError, StageError
from posetrack.pipeline.channel import AbortedError, Channel
from posetrack.pipeline.timing import Spread, StageTimes
from posetrack.pipeline.worker import (
    Ended,
    Event,
    Failed,
    Gate,
    Opened,
    Parcel,
    Reader,
    Source,
    Stage,
    Stop,
    Transformer,
    Worker,
)

_HEARTBEAT_S = 0.2
"""How often `run` looks up in the main thread: the system may deliver a signal to any thread (to
one of a native library too), which does not wake Python's main thread from a lock."""

_DOING = {"open": "opening", "finish": "finishing", "close": "closing"}


class _State(Enum):
    STARTING = auto()
    RUNNING = auto()
    DRAINING = auto()
    ABORTING = auto()


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went.

    Attributes:
        items: how many went through the last stage.
        dropped: how many a live run dropped before the work.
        wall_s: from the first read to the end of the last stage.
        latency: from when an item was read to when the last stage was done with it.
        stages: busy and waiting times, in order.
        stopped: somebody asked to stop before the source ended.
        complete: every item that was read (and not dropped) went through and all was finalised.
    """

    items: int
    dropped: int
    wall_s: float
    latency: Spread
    stages: tuple[StageTimes, ...]
    stopped: bool
    complete: bool


class Pipeline:
    """Runs `source` through `stages`; used once, by `run` or by `stream`.

    No frame is read before every stage is open. The first exception of any stage aborts all, and
    comes out as a StageError with the cause attached.
    """

    def __init__(
        self,
        source: Source,
        stages: Sequence[Stage],
        *,
        capacity: int | Sequence[int] = 2,
        live: bool = False,
        deadline_s: float = 10.0,
        index_of: Callable[[Any], int] | None = None,
    ) -> None:
        """Prepare a run; nothing is opened yet.

        Args:
            source: where items come from.
            stages: at least one.
            capacity: of the channel before each stage, one number for all or one each.
            live: one item at most waits before the first stage, and a newer one replaces it.
            deadline_s: once stopping, how long one call of a stage may take before it is named.
            index_of: an item's frame index for error messages; without it items are counted.
        """
        if not stages:
            raise ValueError("a pipeline needs at least one stage")
        self.deadline_s = deadline_s
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._gate = Gate()
        capacities = [capacity] * len(stages) if isinstance(capacity, int) else list(capacity)
        channels: list[Channel[Parcel]] = [Channel(size) for size in capacities]
        if len(channels) != len(stages):
            raise ValueError(f"{len(stages)} stages need as many capacities, got {len(channels)}")
        if live:
            channels[0] = Channel(1, drop_oldest=True)
        self._channels = channels
        self._index_of = index_of
        self._source, self._stages = source, tuple(stages)
        self._workers: list[Worker] = []
        self._alive: set[Worker] = set()
        self._unopened = 0
        self._state = _State.STARTING
        self._stopped = False
        self._stopping_since = 0.0
        self._began = self._ended = 0.0
        self._error: StageError | None = None

    def stop(self) -> None:
        """Ask to stop: the first call drains and finalises, the second aborts.

        Safe from any thread and inside signal handlers; before the first frame it aborts.
        """
        self._events.put(Stop(at_once=False))

    def abort(self) -> None:
        """Ask to drop everything and end now; outputs are not finalised."""
        self._events.put(Stop(at_once=True))

    def run(self) -> Report:
        """Run to the end of the source; what the last stage returns is discarded.

        Raises:
            StageError: a stage raised, or did not return within `deadline_s` of a stop.
        """
        self._start(None)
        try:
            self._supervise()
        except BaseException:
            self.abort()
            self._supervise()
            raise
        self._raise_failure()
        return self.report()

    def stream(self, capacity: int = 2) -> Generator[Any, None, None]:
        """What the last stage returns, item by item, in the caller's thread.

        Closing the iterator early aborts the run and waits for its threads.

        Raises:
            StageError: as `run`.
        """
        out: Channel[Parcel] = Channel(capacity)
        self._channels.append(out)
        self._start(out)
        supervisor = Thread(target=self._supervise, name="posetrack-supervisor", daemon=True)
        supervisor.start()
        try:
            for parcel in out:
                yield parcel.item
        except AbortedError:
            pass  # the supervisor knows why
        except BaseException:  # closed early, or something thrown in
            self.abort()
            raise
        finally:
            supervisor.join()
            self._raise_failure()

    @property
    def dropped(self) -> int:
        """Items that a live run dropped before the work so far."""
        return sum(channel.dropped for channel in self._channels)

    def report(self) -> Report:
        """How the run went, or goes so far."""
        last = self._workers[-1] if self._workers else None
        latency = last.latency.spread() if isinstance(last, Transformer) else Spread()
        began = self._began or perf_counter()
        return Report(
            items=latency.count,
            dropped=self.dropped,
            wall_s=(self._ended or perf_counter()) - began,
            latency=latency,
            stages=tuple(worker.times() for worker in self._workers),
            stopped=self._stopped,
            complete=bool(self._ended) and self._state is not _State.ABORTING,
        )

    def _raise_failure(self) -> None:
        """Raise what went wrong, if anything did, and keep nothing of it.

        Its trace holds this run. Kept here, the two would hold each other, with all the frames
        that were under way, until Python looks for cycles: in a daemon after hours.
        """
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error

    def _start(self, out: Channel[Parcel] | None) -> None:
        if self._workers:
            raise RuntimeError("this pipeline has run: make a new one")
        gate, events, channels = self._gate, self._events, self._channels
        self._workers.append(
            Reader(self._source, channels[0], gate=gate, events=events, index_of=self._index_of)
        )
        ways = [*channels[1 : len(self._stages)], out]
        for stage, upstream, downstream in zip(self._stages, channels, ways, strict=False):
            self._workers.append(Transformer(stage, upstream, downstream, gate=gate, events=events))
        self._alive = set(self._workers)
        self._unopened = len(self._workers)
        for worker in self._workers:
            worker.thread.start()

    def _supervise(self) -> None:
        """Handle events until every worker has ended or is given up."""
        heartbeat_s = _HEARTBEAT_S if current_thread() is main_thread() else inf
        while self._alive:
            patience_s = min(self._patience(), heartbeat_s)
            try:
                event = self._events.get(timeout=None if patience_s == inf else patience_s)
            except Empty:
                self._give_up()
                continue
            match event:
                case Opened():
                    self._unopened -= 1
                    if not self._unopened and self._state is _State.STARTING:
                        self._state = _State.RUNNING
                        self._began = perf_counter()
                        self._gate.open()
                case Ended(worker):
                    self._alive.discard(worker)
                    worker.thread.join()
                case Failed(worker, action, frame, error):
                    self._fail(_stage_error(worker.name, action, frame, error), error)
                case Stop(at_once):
                    self._handle_stop(at_once)
        self._ended = perf_counter()

    def _handle_stop(self, at_once: bool) -> None:
        self._stopped = True
        if at_once or self._state is not _State.RUNNING:
            self._abort()
            return
        self._state = _State.DRAINING
        self._stopping_since = perf_counter()
        for worker in self._workers:
            if isinstance(worker, Reader):
                worker.draining = True
        self._stop_source()

    def _stop_source(self) -> None:
        """Wake a source that waits for its next item, where it can be woken."""
        stop = getattr(self._source, "stop", None)
        if stop is not None:
            stop()

    def _fail(self, failure: StageError, cause: BaseException | None = None) -> None:
        if self._error is None:
            failure.__cause__ = cause
            self._error = failure
        else:
            self._error.add_note(f"then {failure}")
        self._abort()

    def _abort(self) -> None:
        if self._state is _State.ABORTING:
            return
        self._state = _State.ABORTING
        self._stopping_since = perf_counter()
        self._gate.abort()
        self._stop_source()
        for channel in self._channels:
            channel.abort()

    def _patience(self) -> float:
        """Seconds until the supervisor has to look for a stuck stage; endless while all is well."""
        if self._state not in {_State.DRAINING, _State.ABORTING}:
            return inf
        now = perf_counter()
        due = [self._due(worker) for worker in self._alive]
        return max(0.001, min(due, default=now) - now)

    def _due(self, worker: Worker) -> float:
        """When a worker counts as stuck: never early, each call of its stage has the deadline."""
        since = worker.since
        begun = perf_counter() if since is None else max(since, self._stopping_since)
        return begun + self.deadline_s

    def _give_up(self) -> None:
        """Name the stuck stage and cut it out: what comes after it still finalises."""
        if self._state not in {_State.DRAINING, _State.ABORTING}:
            return
        now = perf_counter()
        for worker in [w for w in self._workers if w in self._alive]:
            if worker.thread.is_alive() and self._due(worker) > now:
                continue
            self._alive.discard(worker)
            if not worker.thread.is_alive():
                continue  # its last event was lost to a KeyboardInterrupt in `run`
            where = "" if worker.frame is None else f" at frame {worker.frame}"
            failure = StageError(
                f"stage {worker.name!r} did not stop within {self.deadline_s:g} s{where}: "
                "it was left behind",
                stage=worker.name,
                frame=worker.frame,
            )
            if self._state is _State.DRAINING and worker.downstream is not None:
                self._error = self._error or failure
                # All before it end too: any of them may wait for room that will never come.
                for before in self._workers[: self._workers.index(worker) + 1]:
                    if before.upstream is not None:
                        before.upstream.abort()
                worker.downstream.close()
                self._stopping_since = now
            else:
                self._fail(failure)


def _stage_error(stage: str, action: str, frame: int | None, error: BaseException) -> StageError:
    what = str(error) if isinstance(error, PosetrackError) else f"{type(error).__name__}: {error}"
    where = f"at frame {frame}" if action == "call" else f"while {_DOING[action]}"
    return StageError(f"stage {stage!r} failed {where}: {what}", stage=stage, frame=frame)
