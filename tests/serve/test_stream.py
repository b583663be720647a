"""What becomes of a stream that is lost or opened anew."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from daemons import FakeCamera
from waiting import wait_until

from posetrack.media.live import LiveSource
from posetrack.pipeline import Pipeline
from posetrack.serve.daemon import Daemon
from posetrack.serve.sources import PlayedFile
from posetrack.serve.stream import Stream

Make = Callable[..., Daemon]


def opened_again(stream: Stream, times: int) -> bool:
    return stream.state == "running" and stream.figures.reconnects == times


def instances(kind: type) -> Iterator[Any]:
    # By their type: `isinstance` asks some objects of other packages for their class, which warn.
    return (each for each in gc.get_objects() if issubclass(type(each), kind))


@pytest.fixture
def alive(no_search_for_cycles: None) -> Callable[[type], int]:
    """How many of a kind there are, beside what the threads of an earlier test still hold."""
    kinds = (Pipeline, PlayedFile, LiveSource)
    before = weakref.WeakSet(each for kind in kinds for each in instances(kind))
    return lambda kind: sum(each not in before for each in instances(kind))


def test_a_stream_opened_anew_leaves_no_source_behind(
    make_daemon: Make, alive: Callable[[type], int]
) -> None:
    daemon = make_daemon()
    stream = daemon.supervisor.get("s0")
    wait_until(lambda: stream.state == "running", "it runs")
    for number in range(3):
        daemon.supervisor.change("s0", {"source": {"flip": not number % 2}})
        wait_until(lambda number=number: opened_again(stream, number + 1), "it runs again")
    # Not the `FileSource` in it: while it begins anew it has two, the old and the next.
    assert (alive(Pipeline), alive(PlayedFile)) == (1, 1)


def test_whoever_is_told_that_a_stream_runs_finds_the_figures_of_its_first_frame(
    make_daemon: Make,
) -> None:
    daemon = make_daemon()
    stream = daemon.supervisor.get("s0")
    wait_until(lambda: stream.figures.frames > 1, "it runs, and all have been told so")
    told: list[tuple[str, int]] = []

    def look() -> None:  # in the thread that tells it, at once
        if listening.ring.take() is not None:
            told.append((stream.state, stream.figures.tracks))

    with daemon.hub.subscription("test", ["status"], on_ready=look) as listening:
        daemon.supervisor.change("s0", {"source": {"flip": True}})
        wait_until(lambda: opened_again(stream, 1), "it runs again")
        wait_until(lambda: len(told) == 2, "both are told")
    assert told == [("connecting", 1), ("running", 2)]


def test_a_camera_that_was_lost_leaves_no_source_behind(
    make_daemon: Make, alive: Callable[[type], int]
) -> None:
    camera = FakeCamera().start()
    daemon = make_daemon(streams=[{"id": "camera", "url": camera.url}])
    stream = daemon.supervisor.get("camera")
    for number in range(3):
        wait_until(lambda number=number: opened_again(stream, number), "it runs")
        camera.kill()
        wait_until(lambda: stream.state == "stalled", "it is lost")
        camera.start()
    wait_until(lambda: opened_again(stream, 3), "it runs again")
    assert (alive(Pipeline), alive(LiveSource)) == (1, 1)
    camera.kill()


def test_people_stay_where_they_are_when_a_camera_comes_back_with_another_size(
    make_daemon: Make,
) -> None:
    camera = FakeCamera(size=(320, 240)).start()
    daemon = make_daemon(streams=[{"id": "camera", "url": camera.url}])
    stream = daemon.supervisor.get("camera")
    wait_until(lambda: opened_again(stream, 0) and stream.figures.frames > 3, "it runs")
    camera.kill()
    wait_until(lambda: stream.state == "stalled", "it is lost")
    camera.size = (640, 480)
    camera.start()
    wait_until(lambda: opened_again(stream, 1), "it runs again")
    camera.kill()
    assert stream.latest is not None
    assert stream.latest.message.data["size"] == [320, 240]
    assert stream.figures.tracks == 1
