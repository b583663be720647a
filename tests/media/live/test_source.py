"""The newest frame of sources that come over HTTP, and what happens at their ends."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
import time
import weakref
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import clips
import numpy as np
import pytest
from file_server import Files, serving
from senders import free_port

from posetrack.errors import ConfigError, SourceError, SourceNotFound
from posetrack.media.live import LiveSettings, LiveSource, Status
from posetrack.media.live.pace import Pace
from posetrack.media.source import open_source
from posetrack.types import Frame

UNPACED = LiveSettings(pace=False)


@pytest.fixture
def files(tmp_path):
    """A server of one clip of 20 frames, and its address."""
    clip = clips.make_clip(tmp_path / "a.mp4", frames=20)
    stored = Files({"/a.mp4": clip.read_bytes()})
    with serving(stored) as base:
        yield stored, base


def test_an_address_gives_frames_until_its_end(files):
    with open_source(files[1] + "/a.mp4", live=UNPACED) as source:
        frames = list(source)
    assert source.is_live
    assert source.kind == "live"
    assert source.size == (320, 240)
    assert source.fps == 25
    assert len(frames) + source.dropped == 20
    assert clips.frame_number(frames[-1].image) == 19 == frames[-1].index
    assert source.state == "ended"


def test_the_newest_frame_wins_and_drops_are_counted(files):
    with LiveSource(files[1] + "/a.mp4", UNPACED) as source:
        while source.state != "ended":
            time.sleep(0.05)
        frames = list(source)
    assert [frame.index for frame in frames] == [19]
    assert source.dropped == 19


def taken_from_the_first(address: str) -> list[Frame]:
    """Frames of a clip of 20; the second is not read before the first was taken."""
    taken = threading.Event()

    def hold(status: Status) -> None:  # in the thread that reads
        if status.state == "running":
            taken.wait(30)

    frames = []
    with LiveSource(address, LiveSettings(stall_s=60), on_status=hold) as source:
        for frame in source:
            frames.append(frame)
            taken.set()
    assert len(frames) + source.dropped == 20
    assert (frames[0].index, frames[-1].index) == (0, 19)
    return frames


def test_a_file_comes_at_the_speed_of_its_time_stamps(files):
    began = time.perf_counter()
    frames = taken_from_the_first(files[1] + "/a.mp4")
    for frame in frames:  # none is early; how many are late is up to the machine
        assert frame.captured_at - began > frame.index / 25 - 0.02


def test_pace_begins_anew_where_time_stamps_jump():
    pace = Pace()
    assert pace.early_s(100.0, now=5.0) == 0
    assert pace.early_s(100.5, now=5.1) == pytest.approx(0.4)
    assert pace.early_s(101.0, now=9.0) == 0  # late, and so are the next
    assert pace.early_s(3.0, now=10.0) == 0
    assert pace.early_s(3.2, now=10.0) == pytest.approx(0.2)


def test_stride_and_flip_apply(files):
    with open_source(files[1] + "/a.mp4", live=UNPACED) as plain:
        image = list(plain)[-1].image
    with open_source(files[1] + "/a.mp4", live=UNPACED, stride=4, flip=True) as source:
        frames = list(source)
    assert all(frame.index % 4 == 0 for frame in frames)
    assert np.abs(frames[-1].image.astype(int).mean(0) - image[:, ::-1].mean(0)).mean() < 20


def test_making_one_does_not_wait_and_closing_ends_the_thread():
    with LiveSource(f"rtsp://127.0.0.1:{free_port()}/x", LiveSettings(reconnects=None)) as source:
        assert source.state == "connecting"
        assert source.wait(0.3) is False
    assert not source._thread.is_alive()
    assert list(source) == []
    source.close()


def test_stopping_ends_an_iteration_that_waits(files):
    stored, base = files
    stored.stall.add("/a.mp4")
    source = LiveSource(base + "/a.mp4", LiveSettings(open_timeout_s=6))
    taken: list[object] = []
    reader = threading.Thread(target=lambda: taken.extend(source))
    reader.start()
    time.sleep(0.2)
    began = time.perf_counter()
    source.stop()
    reader.join(5)
    assert not reader.is_alive()
    assert time.perf_counter() - began < 5, "sooner than the opening under way"
    stored.released.set()
    source.close()
    assert not source._thread.is_alive()


def test_a_server_that_never_answers_is_given_up_in_time(files):
    stored, base = files
    stored.stall.add("/a.mp4")
    began = time.perf_counter()
    with pytest.raises(SourceError, match="no answer within the time allowed"):
        open_source(base + "/a.mp4", live=LiveSettings(open_timeout_s=0.5))
    assert time.perf_counter() - began < LiveSettings().open_timeout_s


def test_an_address_that_does_not_answer_is_one_line_without_its_password(capfd):
    with pytest.raises(SourceError) as caught:
        open_source(f"rtsp://bob:s3cr3t@127.0.0.1:{free_port()}/x?token=t0p")
    assert "rtsp://bob:***@127.0.0.1" in str(caught.value)
    assert "\n" not in str(caught.value)
    # A trace shows causes as well, and FFmpeg's hold the whole address.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "s3cr3t" not in "".join((str(caught.value), *capfd.readouterr()))


def test_a_missing_device_is_one_line():
    with pytest.raises(SourceNotFound, match="no camera at /dev/video98"):
        open_source("/dev/video98")


def test_a_lost_source_is_given_up_with_a_line(tmp_path):
    told: list[Status] = []

    def note(status: Status) -> None:  # in the thread that reads: before it comes to the end
        told.append(status)
        stored.content.pop("/a.ts", None)

    quick = LiveSettings(reconnects=2, backoff_s=0.01, pace=False, stall_s=60)
    # A transport stream over HTTP has no length, so that its end is a loss.
    stored = Files({"/a.ts": clips.make_clip(tmp_path / "a.ts", frames=20).read_bytes()})
    with (
        serving(stored) as base,
        LiveSource(base + "/a.ts", quick, on_status=note) as source,
    ):
        assert source.wait(15)
        with pytest.raises(SourceError, match="was lost and did not come back in 2 attempts"):
            list(source)
    assert [status.state for status in told] == ["running", "stalled", "stalled", "failed"]
    assert source.status.error is not None


@pytest.mark.usefixtures("no_search_for_cycles")
def test_a_lost_source_and_its_connection_are_freed_at_once(tmp_path):
    stored = Files({"/a.ts": clips.make_clip(tmp_path / "a.ts", frames=20).read_bytes()})
    with serving(stored) as base:
        source = LiveSource(base + "/a.ts", LiveSettings(reconnects=0, pace=False))
        with pytest.raises(SourceError, match="ended") as told:
            list(source)
        del told
        held = weakref.ref(source)
        source.close()
        del source
    assert held() is None


def test_pictures_are_fitted_into_the_size_of_the_source_before(files):
    _, base = files
    with LiveSource(base + "/a.mp4", UNPACED, size=(640, 480)) as source:
        assert {frame.size for frame in source} == {(640, 480)}
        assert source.status.size == (320, 240), "what comes"


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="belong together"):
        LiveSettings(width=640)
    with pytest.raises(ConfigError, match="read_timeout_s must be more than 0"):
        LiveSettings(read_timeout_s=0)
    with pytest.raises(ConfigError, match=r"longest_backoff_s must be backoff_s \(2\) or more"):
        LiveSettings(backoff_s=2, longest_backoff_s=1)


def test_a_certificate_is_checked_only_where_that_is_wanted(files, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    clip, key, certificate = tmp_path / "b.mp4", tmp_path / "key.pem", tmp_path / "cert.pem"
    clip.write_bytes(files[0].content["/a.mp4"])
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    where = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *where], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path)))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # the client that refuses the certificate hangs up
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"https://127.0.0.1:{server.server_port}/b.mp4"
    try:
        with open_source(address, live=LiveSettings(pace=False)) as source:
            assert list(source)
        with pytest.raises(SourceError):
            open_source(address, live=LiveSettings(verify_tls=True))
    finally:
        server.shutdown()
        server.server_close()


def playlist(*segments: str) -> bytes:
    """An HLS playlist."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"]
    for segment in segments:
        lines += ["#EXTINF:0.8,", segment]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def test_hls_is_read(files, tmp_path):
    stored, base = files
    stored.content["/s.ts"] = clips.make_clip(tmp_path / "s.ts", frames=20).read_bytes()
    stored.content["/a.m3u8"] = playlist("s.ts")
    with open_source(base + "/a.m3u8") as source:
        assert list(source)[-1].index == 19
    assert len(taken_from_the_first(base + "/a.m3u8")) > 1


@pytest.mark.parametrize(
    "way", ["{uri}", "{path}", "concat:{path}", "subfile,,start,0,end,0,,:{path}"]
)
def test_a_playlist_never_leads_to_local_files(files, tmp_path, way):
    stored, base = files
    local = clips.make_clip(tmp_path / "secret.ts", frames=20)
    stored.content["/a.m3u8"] = playlist(way.format(uri=local.as_uri(), path=local))
    stored.content["/a.ffconcat"] = f"ffconcat version 1.0\nfile '{local}'\n".encode()
    for name in ("/a.m3u8", "/a.ffconcat"):
        with pytest.raises(SourceError):
            open_source(base + name, live=LiveSettings(open_timeout_s=3))
