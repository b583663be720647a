from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline.stages import Boom, Numbers, Step, chain, fail, fail_at
from waiting import wait_until

from posetrack.errors import SourceNotFound, StageError
from posetrack.pipeline import Pipeline
from posetrack.pipeline import pipeline as pipeline_module
from posetrack.pipeline import worker as worker_module


def test_items_go_through_all_stages_in_order() -> None:
    source, steps, _ = chain(50)
    report = Pipeline(source, steps).run()
    assert steps[0].seen == list(range(50))
    assert steps[2].seen == [n + 200 for n in range(50)]
    assert (report.items, report.dropped) == (50, 0)
    assert report.complete
    assert not report.stopped


def test_every_stage_is_open_before_the_first_item_is_read() -> None:
    source, steps, log = chain()
    steps[2].do["open"] = lambda _: time.sleep(0.05)
    Pipeline(source, steps).run()
    first_read = log.index(("source", "call"))
    assert all(log.index((stage.name, "open")) < first_read for stage in (source, *steps))


def test_a_stage_lives_in_one_thread_of_its_own() -> None:
    source, steps, _ = chain()
    Pipeline(source, steps).run()
    names = [stage.threads for stage in (source, *steps)]
    assert all(len(name) == 1 for name in names)
    assert len(set.union(*names)) == 4


def test_stages_finish_and_close_in_order() -> None:
    source, steps, log = chain(3)
    Pipeline(source, steps).run()
    ends = [entry for entry in log if entry[1] in {"finish", "close"}]
    steps_end = [(step.name, action) for step in steps for action in ("finish", "close")]
    assert ends == [("source", "close"), *steps_end]


def test_an_empty_source_is_a_normal_end() -> None:
    source, steps, _ = chain(0)
    report = Pipeline(source, steps).run()
    assert report.items == 0
    assert report.complete
    assert steps[2].actions() == ["open", "finish", "close"]
    assert report.latency.count == 0


STAGES = ["source", "step0", "step1", "step2"]
IN_FLIGHT = 9
"""Items behind the one that the last stage has: two in each channel, one in each hand."""


def by_name(source: Numbers, steps: list[Step], name: str) -> Any:
    return next(stage for stage in (source, *steps) if stage.name == name)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("action", ["open", "call", "close"])
def test_a_failure_anywhere_aborts_all_and_names_the_stage(name: str, action: str) -> None:
    source, steps, _ = chain(40)
    bad = by_name(source, steps, name)
    bad.do[action] = fail_at(7) if action == "call" else fail
    with pytest.raises(StageError, match=f"stage '{name}' failed .*Boom: it broke") as caught:
        Pipeline(source, steps).run()
    assert isinstance(caught.value.__cause__, Boom)
    assert caught.value.stage == name
    assert caught.value.frame == (7 if action == "call" else None)
    for stage in (source, *steps):  # each that opened has closed, in its own thread
        opened = not (stage is bad and action == "open")
        assert ("close" in stage.actions()) == opened
        assert len(stage.threads) == 1
    if action != "close" or name != "step2":
        assert "finish" not in steps[2].actions()


@pytest.mark.parametrize("name", STAGES[1:])
def test_a_failing_finish_finalises_nothing_after_it(name: str) -> None:
    source, steps, _ = chain(4)
    by_name(source, steps, name).do["finish"] = fail
    with pytest.raises(StageError, match=f"stage '{name}' failed while finishing: Boom"):
        Pipeline(source, steps).run()
    assert [s.name for s in steps if "finish" in s.actions()] == STAGES[1 : STAGES.index(name) + 1]


def test_the_message_names_the_frame_by_its_own_index() -> None:
    source, steps, _ = chain(40)
    steps[1].do["call"] = fail_at(7)
    pipeline = Pipeline(source, steps, index_of=lambda n: 1000 + n)
    with pytest.raises(StageError, match=r"^stage 'step1' failed at frame 1007: Boom: it broke$"):
        pipeline.run()


def test_an_expected_error_is_quoted_without_its_type() -> None:
    source, steps, _ = chain()

    def missing(item: Any) -> None:
        raise SourceNotFound("no file a.mp4")

    source.do["open"] = missing
    with pytest.raises(StageError, match=r"failed while opening: no file a\.mp4$"):
        Pipeline(source, steps).run()


def test_a_second_failure_is_noted_on_the_first() -> None:
    source, steps, _ = chain()
    steps[1].do.update(call=fail_at(3), close=fail)
    with pytest.raises(StageError, match="at frame 3") as caught:
        Pipeline(source, steps).run()
    assert caught.value.__notes__ == ["then stage 'step1' failed while closing: Boom: it broke"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StopIteration])
def test_even_odd_exceptions_in_a_stage_are_failures(error: type[BaseException]) -> None:
    source, steps, _ = chain()

    def odd(item: Any) -> None:
        raise error

    steps[1].do["call"] = odd
    with pytest.raises(StageError, match=error.__name__):
        Pipeline(source, steps).run()


@pytest.mark.usefixtures("no_search_for_cycles")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_that_failed_is_freed_with_its_error(streamed: bool) -> None:
    source, steps, _ = chain()
    steps[1].do["call"] = fail_at(3)
    pipeline = Pipeline(source, steps)
    with pytest.raises(StageError) as told:
        list(pipeline.stream()) if streamed else pipeline.run()
    held = weakref.ref(pipeline)
    del pipeline, told
    assert held() is None


def test_a_stop_drains_what_was_read_and_finalises() -> None:
    source, steps, _ = chain(1_000_000)
    pipeline = Pipeline(source, steps)
    told = threading.Event()
    source.stop = told.set  # type: ignore[attr-defined]

    def stop(n: int) -> None:
        if n == 220:
            pipeline.stop()
            told.wait(10)

    steps[2].do["call"] = stop
    report = pipeline.run()
    assert report.stopped
    assert report.complete
    assert 20 < report.items == len(steps[0].seen) < 40
    assert steps[2].seen == [n + 200 for n in range(report.items)]
    assert "finish" in steps[2].actions()


def test_a_stop_wakes_a_source_that_waits_for_its_next_item() -> None:
    source, steps, _ = chain(2)
    woken = threading.Event()
    source.stop = woken.set  # type: ignore[attr-defined]
    source.do["call"] = lambda n: n == 1 and woken.wait(10)
    pipeline = Pipeline(source, steps)
    steps[2].do["call"] = lambda n: pipeline.stop() if n == 200 else None
    began = time.perf_counter()
    assert pipeline.run().complete
    assert time.perf_counter() - began < 5


def test_a_second_stop_aborts() -> None:
    source, steps, log = chain(1_000_000)
    pipeline = Pipeline(source, steps)

    def twice(n: int) -> None:
        if n == 220:
            wait_until(lambda: log.count(("source", "call")) == 20 + 1 + IN_FLIGHT, "all is full")
            pipeline.stop()
            pipeline.stop()
            # Held here, the stage before has no room to finish in: only an abort ends it.
            wait_until(lambda: ("step1", "close") in log, "the stage before has closed")

    steps[2].do["call"] = twice
    report = pipeline.run()
    assert report.stopped
    assert not report.complete
    assert "finish" not in steps[2].actions()
    assert all(stage.actions()[-1] == "close" for stage in (source, *steps))


@pytest.mark.parametrize("name", STAGES)
def test_a_stop_during_start_up_reads_and_finalises_nothing(name: str) -> None:
    source, steps, log = chain()
    pipeline = Pipeline(source, steps)

    def stop_and_wait(item: Any) -> None:
        pipeline.stop()
        time.sleep(0.02)

    by_name(source, steps, name).do["open"] = stop_and_wait
    report = pipeline.run()
    assert report.stopped
    assert not report.complete
    assert {action for _, action in log} == {"open", "close"}
    assert all(stage.actions() == ["open", "close"] for stage in (source, *steps))


def test_a_stop_before_the_start_ends_at_once() -> None:
    source, steps, log = chain()
    pipeline = Pipeline(source, steps)
    pipeline.stop()
    assert pipeline.run().items == 0
    assert ("source", "call") not in log


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that pipelines see, [s]; it stands still but where a test moves it."""
    now = [0.0]
    for module in (pipeline_module, worker_module):
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


@contextmanager
def stuck(
    pipeline: Pipeline, chained: list[Any], name: str, action: str, clock: list[float]
) -> Iterator[None]:
    """Stage `name` stops the run in an action (its call at frame 5) and does not return.

    The deadline passes when all the others wait for it or have ended: they are never late
    themselves, however slow the machine is.
    """
    at = STAGES.index(name)
    told, release = threading.Event(), threading.Event()
    chained[0].stop = told.set
    last = chained[0].count  # of frame 5, all that is in flight: two in each channel, one a hand
    calls = (
        [6 + 3 * (at - i) if i < at else 5 for i in range(4)] if action == "call" else [last] * 4
    )

    def wait(worker: Any, stage: Any, number: int) -> bool:
        if action == "open":
            return stage.actions()[-1:] == ["close"] and not worker.thread.is_alive()
        return stage.actions().count("call") == number and worker.since is None

    def all_wait() -> bool:
        others = zip(pipeline._workers, chained, calls, strict=True)
        return all(wait(*each) for each in others if each[1].name != name)

    def stick(item: Any) -> None:
        if action == "call" and item % 100 != 5:
            return
        if action != "open":
            wait_until(all_wait, "all the others wait or have ended")
        pipeline.stop()
        told.wait(30)
        if action == "open":  # then a stop ends the others
            wait_until(all_wait, "all the others wait or have ended")
        clock[0] += 2 * pipeline.deadline_s
        release.wait(30)

    chained[at].do[action] = stick
    try:
        yield
    finally:
        release.set()
        for worker in pipeline._workers:
            worker.thread.join(30)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("action", ["open", "call", "close"])
def test_a_stuck_stage_is_named_after_the_deadline(
    name: str, action: str, clock: list[float]
) -> None:
    source, steps, _ = chain(20)
    pipeline = Pipeline(source, steps, deadline_s=0.1)
    with stuck(pipeline, [source, *steps], name, action, clock):
        with pytest.raises(StageError, match=f"stage '{name}' did not stop within 0.1 s") as caught:
            pipeline.run()
        assert caught.value.stage == name
        assert caught.value.frame == (5 if action == "call" else None)
        later = steps[STAGES.index(name) :]
        drained = action == "call" or (action == "close" and name != STAGES[-1])
        # What comes after the stuck stage has finalised what it had.
        assert all(("finish" in step.actions()) == drained for step in later)


@pytest.mark.parametrize("name", STAGES[1:])
def test_what_waits_for_room_before_a_stuck_stage_ends_too(name: str, clock: list[float]) -> None:
    source, steps, _ = chain(100)
    pipeline = Pipeline(source, steps, deadline_s=0.1)
    with stuck(pipeline, [source, *steps], name, "call", clock):
        with pytest.raises(StageError, match=f"stage '{name}' did not stop"):
            pipeline.run()
        before = STAGES.index(name)
        assert [stage.actions()[-1] for stage in (source, *steps)[:before]] == ["close"] * before


def test_a_long_drain_is_not_stuck_while_each_call_is_short() -> None:
    source, steps, log = chain(1000)
    pipeline = Pipeline(source, steps, capacity=8, deadline_s=2.0)
    drained = 3 * 8  # each channel is full

    def slow(n: int) -> None:
        if n == 205:
            wait_until(lambda: log.count(("source", "call")) >= 5 + drained, "all is full")
            pipeline.stop()
        if n >= 205:
            time.sleep(0.1)

    steps[2].do["call"] = slow
    report = pipeline.run()
    assert report.complete
    assert report.items >= 5 + drained  # 2.4 s in all


def test_live_drops_only_before_the_work_and_counts() -> None:
    source, steps, log = chain(200)

    def slow(n: int) -> None:  # three more are read meanwhile, as long as there are any
        while log.count(("source", "call")) < min(n + 5, 200):
            time.sleep(0.001)

    steps[0].do["call"] = slow
    report = Pipeline(source, steps, live=True).run()
    assert report.dropped > 100
    assert report.items + report.dropped == 200
    seen = steps[2].seen
    assert seen == sorted(set(seen))
    assert seen[-1] == 200 + 199  # the newest is never dropped
    assert len(steps[0].seen) == len(seen)


def test_stream_gives_results_in_the_callers_thread() -> None:
    source, steps, _ = chain(30)
    assert list(Pipeline(source, steps).stream()) == [n + 300 for n in range(30)]
    assert steps[2].actions()[-2:] == ["finish", "close"]


def test_a_stream_closed_early_aborts_and_closes_every_stage() -> None:
    source, steps, _ = chain(1_000_000)
    pipeline = Pipeline(source, steps)
    stream = pipeline.stream()
    assert [next(stream), next(stream)] == [300, 301]
    stream.close()  # type: ignore[attr-defined]
    assert "finish" not in steps[2].actions()
    assert all(stage.actions()[-1] == "close" for stage in (source, *steps))
    assert not pipeline.report().complete


def test_a_stream_that_is_never_read_opens_nothing() -> None:
    source, steps, log = chain()
    Pipeline(source, steps).stream()
    assert log == []


def test_a_failure_ends_a_stream_with_the_error_not_with_silence() -> None:
    source, steps, _ = chain(30)
    steps[1].do["call"] = fail_at(7)
    got = []
    with pytest.raises(StageError, match="stage 'step1' failed at frame 7"):
        got.extend(Pipeline(source, steps).stream())


def test_an_exception_in_the_loop_over_a_stream_leaves_nothing_running() -> None:
    source, steps, _ = chain(1_000_000)
    stream = Pipeline(source, steps).stream()

    def loop() -> None:
        for _ in stream:
            raise Boom

    with pytest.raises(Boom):
        loop()
    stream.close()  # type: ignore[attr-defined]
    assert source.actions()[-1] == "close"


def test_times_are_measured_per_stage() -> None:
    source, steps, _ = chain(20)
    steps[1].do["call"] = lambda _: time.sleep(0.005)
    report = Pipeline(source, steps).run()
    times = {stage.stage: stage for stage in report.stages}
    assert list(times) == STAGES
    assert all(stage.busy.count == 20 for stage in times.values())
    assert times["step1"].busy.p50_ms >= 5
    assert times["step2"].busy.p50_ms < 4
    # Nobody else keeps it waiting: at most four items are through before it begins to count.
    assert times["step2"].waiting.total_s + times["step2"].busy.total_s >= 16 * 0.005
    assert times["step2"].waiting.total_s > 0
    assert report.latency.p50_ms >= 5
    assert report.wall_s >= 0.1


def test_a_pipeline_is_used_once() -> None:
    source, steps, _ = chain()
    pipeline = Pipeline(source, steps)
    pipeline.run()
    with pytest.raises(RuntimeError, match="make a new one"):
        pipeline.run()


def test_a_pipeline_without_stages_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        Pipeline(Numbers("source"), [])


def test_capacities_must_match_the_stages() -> None:
    source, steps, _ = chain()
    with pytest.raises(ValueError, match="3 stages need as many capacities, got 2"):
        Pipeline(source, steps, capacity=[1, 2])


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 25),
    capacity=st.integers(1, 4),
    bad=st.one_of(
        st.none(),
        st.tuples(
            st.sampled_from(STAGES),
            st.sampled_from(["open", "call", "close", "stop", "abort"]),
            st.integers(0, 24),
        ),
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_schedule_ends_in_order_or_in_the_right_error(
    seed: int, count: int, capacity: int, bad: tuple[str, str, int] | None
) -> None:
    source, steps, _ = chain(count)
    pipeline = Pipeline(source, steps, capacity=capacity)
    dice = random.Random(seed)

    def wander(item: Any) -> None:
        if dice.random() < 0.3:
            time.sleep(dice.random() * 0.002)

    for stage in (source, *steps):
        stage.do = dict.fromkeys(["open", "call", "finish", "close"], wander)
    wanted = None
    if bad is not None:
        name, action, frame = bad
        stage = by_name(source, steps, name)
        if action in {"stop", "abort"}:
            stop = getattr(pipeline, action)
            stage.do["call"] = lambda n: stop() if n % 100 == frame else None
        elif action != "call":
            stage.do[action], wanted = fail, name
        elif frame < count:
            stage.do["call"], wanted = fail_at(frame), name
    try:
        report = pipeline.run()
    except StageError as error:
        assert error.stage == wanted  # noqa: PT017
        return
    assert wanted is None
    assert steps[2].seen == [n + 200 for n in range(len(steps[2].seen))]
    if report.complete:
        assert len(steps[0].seen) == len(steps[2].seen) == report.items
        assert "finish" in steps[2].actions()
    if not report.stopped:
        assert report.items == count
