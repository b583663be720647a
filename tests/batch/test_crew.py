"""The loop that gives work: retries, order, and how it stops."""

from __future__ import annotations

from collections.abc import Callable

from posetrack.batch.crew import Advanced, Ended, Event, Stop, carry_out
from posetrack.batch.unit import Job, Outcome, Plan

PLAN = Plan("{}", 1)


class Scripted:
    """Workers in this very thread: each call of `events` ends the oldest job as `fails` says."""

    def __init__(self, size: int, fails: Callable[[str, int], bool]) -> None:
        self.size, self._fails = size, fails
        self.begun: list[str] = []
        self.running: list[Job] = []
        self.aborted = False

    def begin(self, job: Job) -> None:
        assert len(self.running) < self.size
        self.begun.append(job.stem)
        self.running.append(job)

    def events(self, timeout_s: float) -> list[Event]:
        job = self.running.pop(0)
        failed = self._fails(job.stem, self.begun.count(job.stem))
        return [Advanced(job, 1, 2), Ended(job, Outcome("it broke" if failed else None))]

    def abort(self) -> None:
        self.aborted = True
        self.running.clear()

    def close(self) -> None:
        pass


def jobs(names: str) -> list[Job]:
    return [Job(f"/{name}.mp4", "/out", name, PLAN) for name in names]


def test_a_failed_job_is_tried_again_after_the_others() -> None:
    crew, ended = Scripted(2, lambda stem, attempt: stem == "a" and attempt < 3), []

    def note(event: Event, attempt: int, last: bool) -> None:
        if isinstance(event, Ended):
            ended.append((event.job.stem, attempt, last))

    carry_out(jobs("abcd"), crew, retries=2, stop=Stop(), on_event=note)
    assert crew.begun == ["a", "b", "c", "d", "a", "a"]
    assert [e for e in ended if e[0] == "a"] == [("a", 1, False), ("a", 2, False), ("a", 3, True)]


def test_a_job_is_given_up_after_its_retries() -> None:
    crew, lasts = Scripted(1, lambda stem, attempt: True), []
    on_event = lambda event, attempt, last: lasts.append(last)  # noqa: E731
    carry_out(jobs("a"), crew, retries=1, stop=Stop(), on_event=on_event)
    assert crew.begun == ["a", "a"]
    assert lasts == [False, False, False, True]


def test_the_first_stop_finishes_what_was_begun() -> None:
    crew, stop = Scripted(2, lambda stem, attempt: True), Stop()
    lasts, said = [], []

    def note(event: Event, attempt: int, last: bool) -> None:
        lasts.append(last)
        if stop.calls == 0:
            stop.stop()

    def on_drain() -> None:
        said.append("finishing")

    carry_out(jobs("abcd"), crew, retries=5, stop=stop, on_event=note, on_drain=on_drain)
    assert crew.begun == ["a", "b"]
    assert lasts == [False, True, False, True]  # nothing is tried again
    assert said == ["finishing"]
    assert not crew.running
    assert not crew.aborted


def test_the_second_stop_drops_it() -> None:
    crew, stop = Scripted(3, lambda stem, attempt: False), Stop()

    def note(event: Event, attempt: int, last: bool) -> None:
        stop.stop()

    carry_out(jobs("abcd"), crew, retries=0, stop=stop, on_event=note)
    assert crew.aborted
    assert crew.begun == ["a", "b", "c"]
