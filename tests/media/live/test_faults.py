"""An RTSP server that is killed, frozen, silent, and changes what it sends, over loopback."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import clips
import pytest
from senders import Sender, has_gstreamer
from waiting import wait_until

from posetrack.media.live import LiveSettings, LiveSource, Status
from posetrack.perception import Perception
from posetrack.types import Frame

PATIENT = LiveSettings(
    reconnects=None,
    open_timeout_s=3.0,
    read_timeout_s=1.0,
    stall_s=0.4,
    backoff_s=0.1,
    longest_backoff_s=0.4,
)
UNMOVED = replace(PATIENT, read_timeout_s=15.0, stall_s=15.0)
"""Nothing is given up because the machine holds its breath."""
BUSY_S = 10.0
"""What a busy machine may take for anything."""
BACK_S = PATIENT.open_timeout_s + 1.25 * PATIENT.longest_backoff_s + BUSY_S
"""An attempt that began just before the server came back, the pause after it, and the first
pictures."""


class Watch:
    """A source under faults: every state it was in, and frames until one can be asked for."""

    def __init__(self, address: str, settings: LiveSettings = PATIENT) -> None:
        self.told: list[Status] = []
        self.source = LiveSource(address, settings, on_status=self.told.append)
        self.frames: list[Frame] = []

    def take(self, count: int) -> list[Frame]:
        """The next `count` frames; they go on from those before."""
        taken = list(islice(self.source, count))
        together = [*self.frames[-1:], *taken]
        for before, after in pairwise(together):
            assert after.index > before.index
            assert after.pts_s > before.pts_s
        self.frames += taken
        return taken

    def until_size(self, size: tuple[int, int]) -> None:
        """Take frames until pictures of this size come."""
        began = time.monotonic()
        while self.source.status.size != size:
            assert time.monotonic() - began < BUSY_S
            self.take(1)

    def until_no_picture(self) -> None:
        """Wait until it is told that a server sends nothing for too long, from now on."""
        before = len(self.told)

        def is_told() -> bool:
            errors = [s.error for s in self.told[before:] if s.state == "stalled"]
            return self.source.state == "stalled" and any("for 1 s" in each for each in errors)

        wait_until(is_told, "it is told")

    def comes_back(self, reconnects: int) -> list[Frame]:
        """Ten frames of the connection with that number, within the time promised."""
        began = time.monotonic()
        while self.source.status.reconnects < reconnects or self.source.state != "running":
            assert time.monotonic() - began < BACK_S
            time.sleep(0.02)
        self.take(1)  # may be one from before
        return self.take(10)


@pytest.fixture
def sender():
    with Sender() as server:
        yield server


@pytest.fixture
def watch(sender):
    watching = Watch(sender.address)
    yield watching
    watching.source.close()
    assert not watching.source._thread.is_alive()


def test_a_killed_server_shows_as_stalled_and_comes_back(sender):
    watch = Watch(sender.address, UNMOVED)
    with watch.source:
        watch.take(10)
        sender.kill()
        wait_until(lambda: watch.source.status.attempts > 0, "it is tried again")
        assert watch.source.state == "stalled"
        sender.start()
        frames = watch.comes_back(1)
        assert len(frames) == 10
        assert watch.source.status.attempts == 0
    # A busy machine may not give the first picture at the first attempt.
    assert {status.state for status in watch.told} - {"connecting", "ended"} == {
        "running",
        "stalled",
    }
    assert {status.reconnects for status in watch.told if status.state == "running"} == {0, 1}


def test_a_frozen_server_is_noticed_and_comes_back(sender, watch):
    watch.take(10)
    sender.freeze()
    try:
        watch.until_no_picture()
        before = watch.source.status.reconnects
    finally:
        sender.thaw()
    watch.comes_back(before + 1)


def test_a_close_ends_a_read_of_a_frozen_server_in_time(sender, watch):
    watch.take(5)
    sender.freeze()
    try:
        began = time.monotonic()
        watch.source.close()
        assert time.monotonic() - began < PATIENT.open_timeout_s + 1
        assert not watch.source._thread.is_alive()
    finally:
        sender.thaw()


def test_a_silent_server_stalls_whoever_waits_for_a_frame(sender, watch):
    watch.take(10)
    spoken = threading.Event()

    def wait_for_frames() -> None:
        while not spoken.is_set():
            watch.take(1)

    sender.command("mute")
    waiting = threading.Thread(target=wait_for_frames)
    waiting.start()
    wait_until(lambda: watch.told[-1].state == "stalled", "it is told")
    spoken.set()
    sender.command("speak")
    waiting.join(BACK_S)
    assert not waiting.is_alive()


def test_another_size_in_mid_stream_keeps_the_meaning_of_coordinates(sender):
    watch = Watch(sender.address, UNMOVED)
    with watch.source:
        watch.take(10)
        sender.command("size 640x480")
        watch.until_size((640, 480))
        frames = watch.take(10)
    assert {frame.size for frame in frames} == {(320, 240)}
    numbers = [clips.frame_number(frame.image) for frame in frames]
    assert all(0 < (b - a) % 256 < 128 for a, b in pairwise(numbers)), "in order, and no twice"
    assert watch.source.status.reconnects == 0


def test_another_codec_survives(sender):
    watch = Watch(sender.address, UNMOVED)
    with watch.source:
        watch.take(5)
        sender.command("codec mpeg4")
        watch.comes_back(1)
    assert watch.source.status.codec == "mpeg4"


def test_a_password_that_is_wrong_is_told_without_it():
    with Sender("--password", "open-sesame") as server:
        wrong = server.address.replace("://", "://bob:s3cret@")
        with Watch(wrong).source as source:
            wait_until(lambda: "401" in (source.status.error or ""), "it is refused")
            status = source.status
        right = server.address.replace("://", "://bob:open-sesame@")
        with Watch(right).source as source:
            assert source.wait(30)
    assert status.state == "connecting"
    assert "s3cret" not in status.error


def test_several_sources_know_nothing_of_each_other(sender):
    with Sender() as other:
        one, two = Watch(sender.address), Watch(other.address, UNMOVED)
        with one.source, two.source:
            one.take(3)
            two.take(3)
            sender.kill()
            two.take(30)
            wait_until(lambda: one.source.state == "stalled", "the one is lost")
            assert two.source.state == "running"
            assert two.source.status.reconnects == 0


def test_nothing_is_left_open_by_connections_that_were_lost(sender):
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").exists():
        pytest.skip("open files can be counted on Linux only")
    before, threads = held(), threading.active_count()
    watch = Watch(sender.address)
    for number in range(3):
        watch.take(3)
        sender.command("drop")
        watch.comes_back(number + 1)
    watch.source.close()
    assert held() <= before
    assert threading.active_count() <= threads


def test_people_keep_their_ids_over_a_gap(tmp_path):
    from posetrack import demo

    picture = next(picture for picture, _ in islice(demo.frames(), 30, None))
    still = clips.make_clip(
        tmp_path / "still.mp4", frames=2, size=(640, 480), image=lambda _: picture
    )
    with Sender("--size", "640x480", "--clip", str(still)) as sender, Perception() as perception:
        watch = Watch(sender.address)

        def people() -> set[int]:
            found: set[int] = set()
            for frame in watch.take(5):
                found = set(perception(frame.image, frame.pts_s).tracks.ids.tolist())
            return found

        with watch.source:
            first = people()
            sender.kill()
            time.sleep(0.3)
            sender.start("--size", "640x480", "--clip", str(still))
            watch.comes_back(1)
            again = people()
    assert len(first) >= 3
    assert again == first


@pytest.mark.skipif(not has_gstreamer(), reason="the system's Python has no gst-rtsp-server")
def test_gstreamers_server_is_lost_and_found():
    with Sender(script="gst_server.py") as server:
        watch = Watch(server.address)
        with watch.source:
            watch.take(5)
            server.command("size 640x480")
            watch.until_size((640, 480))
            server.command("codec mjpeg")
            wait_until(lambda: watch.source.status.codec == "mjpeg", "it is another codec")
            before = watch.source.status.reconnects
            server.kill()
            server.start()
            watch.comes_back(before + 1)
            server.freeze()
            watch.until_no_picture()
            before = watch.source.status.reconnects
            server.thaw()
            watch.comes_back(before + 1)
