"""Who works on the videos of a batch, and the loop that gives them work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from posetrack.batch.unit import Job, Outcome

_HEARTBEAT_S = 0.2
"""How often the loop looks up: a signal does not end a wait."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """A video is so far; `total` None: nobody knows how long it is."""

    job: Job
    frames: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A video is over, well or not."""

    job: Job
    outcome: Outcome


Event: TypeAlias = Advanced | Ended


class Crew(Protocol):
    """Workers that do `posetrack.batch.unit.work`, somewhere.

    Attributes:
        size: how many videos at a time.
    """

    size: int

    def begin(self, job: Job) -> None:
        """Give `job` to a worker that has none."""
        ...

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What happened, as soon as something did; empty after `timeout_s`."""
        ...

    def abort(self) -> None:
        """End the work on every video now; nothing of it is left."""
        ...

    def close(self) -> None:
        """Send the workers home."""
        ...


class Stop:
    """Whether to stop: the first call of `stop` begins no more videos, the second ends all."""

    def __init__(self) -> None:
        self.calls = 0

    def stop(self) -> None:
        """Ask; safe in a signal handler."""
        self.calls += 1

    @property
    def draining(self) -> bool:
        """Whether no video is to be begun."""
        return self.calls > 0

    @property
    def aborting(self) -> bool:
        """Whether those that were begun are to be dropped."""
        return self.calls > 1


def carry_out(
    jobs: Sequence[Job],
    crew: Crew,
    *,
    retries: int,
    stop: Stop,
    on_event: Callable[[Event, int, bool], None],
    on_drain: Callable[[], None] = lambda: None,
) -> None:
    """Every job done by the crew, or given up.

    Args:
        jobs: in this order.
        crew: closed by the caller.
        retries: how often one that failed is tried again, after all others were begun.
        stop: looked at a few times a second.
        on_event: gets what happened, the number of the attempt (from 1), and whether it was the
            last one at that video.
        on_drain: called once, when a stop is noticed and there is something to wait for.
    """
    waiting = deque(jobs)
    attempts = dict.fromkeys(jobs, 0)
    running: set[Job] = set()
    told = False
    while running or (waiting and not stop.draining):
        while waiting and len(running) < crew.size and not stop.draining:
            job = waiting.popleft()
            attempts[job] += 1
            running.add(job)
            crew.begin(job)
        for event in crew.events(_HEARTBEAT_S):
            job, last = event.job, False
            if isinstance(event, Ended):
                running.discard(job)
                last = event.outcome.error is None or attempts[job] > retries or stop.draining
                if not last:
                    waiting.append(job)
            on_event(event, attempts[job], last)
        if stop.aborting:
            crew.abort()
            return
        if stop.draining and running and not told:
            told = True
            on_drain()
