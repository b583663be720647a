"""One stage in its own thread: open, work, finish, close, and tell the supervisor what happened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from time import perf_counter
from typing import Any, Literal, Protocol

from posetrack.pipeline.channel import AbortedError, Channel
from posetrack.pipeline.timing import Samples, StageTimes

Action = Literal["open", "call", "finish", "close"]


class Stage(Protocol):
    """One step of a pipeline; subclasses inherit the methods they do not need.

    All methods run in the stage's own thread. `close` is called exactly when `open` returned.

    Attributes:
        name: for messages and timings.
    """

    name: str

    def open(self) -> None:
        """Get ready to work at full speed (files open, models loaded and warm)."""
        return

    def __call__(self, item: Any, /) -> Any:
        """The item for the next stage."""
        ...

    def finish(self) -> None:
        """Everything before has ended well and the last item is done: finalise outputs."""
        return

    def close(self) -> None:
        """Free what `open` got; without a `finish` before it, the run failed or was aborted."""
        return


class Source(Protocol):
    """The head of a pipeline: iterated once, after every stage is open.

    Where it has a method ``stop``, that is called from another thread, maybe twice, once the run
    is stopping; the iteration shall then end soon.
    """

    name: str

    def open(self) -> None:
        """Get ready to read."""

    def __iter__(self) -> Iterator[Any]:
        """The items, in order; blocking reads should be bounded in time."""
        ...

    def close(self) -> None:
        """Free what `open` got."""


@dataclass(slots=True)
class Parcel:
    """An item on its way: which frame it belongs to and when it entered."""

    item: Any
    index: int
    entered: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A worker is ready."""

    worker: Worker


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker's stage raised."""

    worker: Worker
    action: Action
    frame: int | None
    error: BaseException


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker's thread is about to end; nothing comes from it after this."""

    worker: Worker


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody asked to stop: gently, or at once."""

    at_once: bool


Event = Opened | Failed | Ended | Stop


class Gate:
    """Keeps every worker from its first item until all are open."""

    def __init__(self) -> None:
        self._decided = Flag()
        self._go = False

    def open(self) -> None:
        """Let the workers go."""
        self._go = True
        self._decided.set()

    def abort(self) -> None:
        """Send those who wait home."""
        self._decided.set()

    def wait(self) -> None:
        """Block until decided. Raises AbortedError if the run ends before it began."""
        self._decided.wait()
        if not self._go:
            raise AbortedError


class Worker(ABC):
    """Drives one stage; everything it says goes through `events`.

    Attributes:
        since: when the stage's running method began, None while it waits for its neighbours.
        frame: index of the frame at hand.
        upstream: where items come from; None at the source.
        downstream: where they go; None where the last stage's results are not wanted.
    """

    upstream: Channel[Parcel] | None = None

    def __init__(
        self,
        stage: Stage | Source,
        downstream: Channel[Parcel] | None,
        *,
        gate: Gate,
        events: SimpleQueue[Event],
    ) -> None:
        self.name = stage.name
        self.downstream = downstream
        self.since: float | None = None
        self.frame: int | None = None
        self._stage = stage
        self._gate, self._events = gate, events
        self._busy, self._waiting = Samples(), Samples()
        # A daemon only so that a stage that never returns cannot keep the process alive; every
        # thread that ends is joined.
        self.thread = Thread(target=self._main, name=f"posetrack-{self.name}", daemon=True)

    def times(self) -> StageTimes:
        """How long it worked and waited so far."""
        return StageTimes(self.name, self._busy.spread(), self._waiting.spread())

    def _main(self) -> None:
        if self._guard("open", self._stage.open):
            self._events.put(Opened(self))
            well = self._guard("call", self._wait_and_work)
            self.frame = None
            finish = getattr(self._stage, "finish", None)
            if well and finish is not None:
                well = self._guard("finish", finish)
            # Closed before the next stage learns of the end, so that no output is finalised
            # after a failure anywhere before it.
            well = self._guard("close", self._stage.close) and well
            if well and self.downstream is not None:
                self.downstream.close()
        self._events.put(Ended(self))

    def _guard(self, action: Action, run: Callable[[], None]) -> bool:
        self.since = perf_counter()
        try:
            run()
        except AbortedError:
            return False
        except BaseException as error:  # noqa: BLE001 - the top of a thread: nothing may be lost
            self._events.put(Failed(self, action, self.frame, error))
            return False
        finally:
            self.since = None
        return True

    def _wait_and_work(self) -> None:
        self.since = None
        self._gate.wait()
        self._work()

    @abstractmethod
    def _work(self) -> None:
        """Handle items until they end. Raises AbortedError when told to give up."""


class Reader(Worker):
    """Drives the source.

    Attributes:
        draining: set from outside; nothing more is read.
    """

    draining = False

    def __init__(
        self,
        source: Source,
        downstream: Channel[Parcel],
        *,
        gate: Gate,
        events: SimpleQueue[Event],
        index_of: Callable[[Any], int] | None,
    ) -> None:
        super().__init__(source, downstream, gate=gate, events=events)
        self._source, self._channel, self._index_of = source, downstream, index_of

    def _work(self) -> None:
        items = iter(self._source)
        index = -1
        ready = perf_counter()
        while not self.draining:
            self.frame = index + 1
            self.since = begin = perf_counter()
            try:
                item = next(items)
            except StopIteration:
                break
            end = perf_counter()
            self.since = None
            self._busy.add(end - begin)
            self._waiting.add(begin - ready)
            index = index + 1 if self._index_of is None else self._index_of(item)
            self._channel.put(Parcel(item, index, end))
            ready = end


class Transformer(Worker):
    """Drives a stage.

    Attributes:
        latency: from when an item was read to when this stage was done with it.
    """

    def __init__(
        self,
        stage: Stage,
        upstream: Channel[Parcel],
        downstream: Channel[Parcel] | None,
        *,
        gate: Gate,
        events: SimpleQueue[Event],
    ) -> None:
        super().__init__(stage, downstream, gate=gate, events=events)
        self.upstream = self._channel = upstream
        self.latency = Samples()
        self._call = stage

    def _work(self) -> None:
        ready = perf_counter()
        for parcel in self._channel:
            self.frame = parcel.index
            self.since = begin = perf_counter()
            parcel.item = self._call(parcel.item)
            end = perf_counter()
            self.since = None
            self._busy.add(end - begin)
            self._waiting.add(begin - ready)
            self.latency.add(end - parcel.entered)
            if self.downstream is not None:
                self.downstream.put(parcel)
            ready = end
