from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from posetrack.pipeline import stop_on_signals

ROOT = Path(__file__).parents[2]

CHILD = """
import sys, time
from pipeline.stages import Numbers, Step
from waiting import wait_until
from posetrack.pipeline import Pipeline, stop_on_signals

def slow(item):
    if sys.argv[1] == "held":  # with this item there is no room: only an abort ends the source
        wait_until(lambda: source.actions()[-1] == "close", "the source has closed")
    time.sleep(0.01)

source, step = Numbers("source", count=1_000_000), Step("step")
source.do["call"] = lambda n: print("running", flush=True) if n == 3 else None
step.do["call"] = slow
pipeline = Pipeline(source, [step], deadline_s=30)
with stop_on_signals(pipeline) as received:
    report = pipeline.run()
in_order = step.seen == list(range(report.items))
print("end", received, "complete", report.complete, "in order", in_order)
print("finished", "finish" in step.actions(), "closed", step.actions()[-1], flush=True)
sys.exit(128 + received[0])
"""


@pytest.fixture
def child(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, request.param],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    with process:
        yield process
        process.kill()


def last_words(process: subprocess.Popen[str], *signals: int) -> str:
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=50)
    assert err == ""
    return out


@pytest.mark.parametrize("child", ["short"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_finalises(
    child: subprocess.Popen[str], number: signal.Signals
) -> None:
    words = last_words(child, number)
    assert f"end [{number.value}] complete True in order True\nfinished True closed close" in words
    assert child.returncode == 128 + number


@pytest.mark.parametrize("child", ["held"], indirect=True)
def test_the_second_signal_aborts(child: subprocess.Popen[str]) -> None:
    words = last_words(child, signal.SIGINT, signal.SIGTERM)
    assert "complete False" in words
    assert "finished False closed close" in words
    assert child.returncode == 128 + signal.SIGINT


def test_the_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    class Target:
        stops = 0

        def stop(self) -> None:
            self.stops += 1

    target = Target()
    with stop_on_signals(target) as received:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert target.stops == 2
    assert received == [signal.SIGTERM, signal.SIGINT]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Python's own handler: a shell starts its background jobs with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_a_keyboard_interrupt_without_handlers_aborts_and_comes_out() -> None:
    from pipeline.stages import chain

    from posetrack.pipeline import Pipeline

    source, steps, _ = chain(1_000_000)
    main = threading.get_ident()
    steps[2].do["call"] = lambda n: signal.pthread_kill(main, signal.SIGINT) if n == 220 else None
    with pytest.raises(KeyboardInterrupt):
        Pipeline(source, steps).run()
    assert "finish" not in steps[2].actions()
    assert all(stage.actions()[-1] == "close" for stage in (source, *steps))
