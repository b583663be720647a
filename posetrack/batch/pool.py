"""A crew of processes on this machine; each loads the models once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process, resource_tracker
from threading import Thread
from typing import TYPE_CHECKING, Any

from posetrack.batch.crew import Advanced, Ended, Event
from posetrack.batch.unit import Job, Outcome, Plan, discard_parts, prepare, work
from posetrack.errors import PosetrackError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

READY = "ready"
_REPORT_S = 0.2
"""How often a worker says how far it is."""
_PATIENCE_S = 5.0


@dataclass(eq=False, slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    job: Job | None = None
    ready: bool = field(default=False)


class WorkerPool:
    """Processes that are started when there is work and replaced when they die.

    They are spawned, not forked: threads of an inference engine do not survive a fork. For the
    same reason, and because engines repack weights for the processor, each has its models to
    itself; the libraries' code is shared by the system as always.

    A worker never sees Ctrl-C or SIGTERM, which a terminal or a cluster sends to the whole group:
    it ends when this process says so, or is no more.

    Args:
        plan: what the models are loaded by.
        size: processes at most.

    Raises (in `events`):
        PosetrackError: the models cannot be loaded, so that no video can be tracked.
    """

    def __init__(self, plan: Plan, size: int) -> None:
        self.size = size
        self._plan = plan
        self._context = get_context("spawn")
        self._workers: list[_Worker] = []
        self._died_loading = 0

    def begin(self, job: Job) -> None:
        """Give `job` to a process that has none, if need be to a new one."""
        for worker in [w for w in self._workers if w.job is None]:
            with suppress(OSError):  # it has died meanwhile
                worker.connection.send(job)
                worker.job = job
                return
            self._dismiss(worker)
        worker = self._start()
        worker.connection.send(job)
        worker.job = job

    def events(self, timeout_s: float) -> list[Event]:
        """What happened to the videos that are worked on."""
        busy: list[Any] = [worker.connection for worker in self._workers if worker.job is not None]
        ready = connection.wait(busy, timeout_s)
        found: list[Event] = []
        for worker in [w for w in self._workers if w.connection in ready]:
            found.extend(self._heard_from(worker))
        return found

    def abort(self) -> None:
        """Kill every process, and remove what it had begun to write."""
        for worker in self._workers:
            worker.process.kill()
        for worker in list(self._workers):
            self._dismiss(worker)
            if worker.job is not None:
                discard_parts(worker.job)

    def close(self) -> None:
        """Let the processes end."""
        if any(worker.job is not None for worker in self._workers):
            self.abort()  # an error is on its way out
        for worker in self._workers:
            with suppress(OSError):
                worker.connection.send(None)
        for worker in list(self._workers):
            worker.process.join(_PATIENCE_S)
            self._dismiss(worker)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._plan), name="posetrack-worker", daemon=True
        )
        with _signals_held_back(), _few_threads(self._plan.threads):
            process.start()
        theirs.close()  # so that the pipe ends with the process
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _heard_from(self, worker: _Worker) -> Iterator[Event]:
        job = worker.job
        assert job is not None
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield Ended(job, self._lost(worker, job))
            return
        if isinstance(message, PosetrackError):
            raise message
        if message == READY:
            worker.ready, self._died_loading = True, 0
        elif isinstance(message, Outcome):
            worker.job = None
            yield Ended(job, message)
        else:
            yield Advanced(job, *message)

    def _lost(self, worker: _Worker, job: Job) -> Outcome:
        """The outcome of a job whose process died."""
        self._dismiss(worker)
        discard_parts(job)
        how = _how(worker.process.exitcode)
        if not worker.ready:
            self._died_loading += 1
            if self._died_loading > self.size:
                raise PosetrackError(
                    f"every worker process {how} while it loaded the models: "
                    "try fewer at a time (-j)"
                )
        return Outcome(
            f"its worker process {how}: try it alone, or fewer at a time (-j) to save memory",
            worker=f"pid {worker.process.pid}",
        )

    def _dismiss(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join(_PATIENCE_S)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        self._workers.remove(worker)


def _serve(pipe: Connection, plan: Plan) -> None:
    """The life of a worker: load the models, then do one job after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back from us
    Thread(target=_die_with_parent, daemon=True).start()
    try:
        prepare(plan)
    except PosetrackError as error:
        pipe.send(error)
        return
    pipe.send(READY)
    told_at = 0.0

    def report(frames: int, total: int | None) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= _REPORT_S:
            told_at = now
            pipe.send((frames, total))

    while (job := pipe.recv()) is not None:
        pipe.send(work(job, report))


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process started meanwhile never gets SIGINT or SIGTERM; they reach this one afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it together with the process would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _few_threads(threads: int) -> Iterator[None]:
    """Libraries of a process started meanwhile make no thread pools as wide as the machine."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL")]
    added = [name for name in names if name not in os.environ]
    os.environ.update(dict.fromkeys(added, str(threads)))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-exitcode).name}"
    return f"ended with status {exitcode}"
