"""Live sources, tried on a file address and on an RTSP sender over loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import av
import clips
import pytest

from posetrack.errors import ConfigError, SourceError, SourceNotFound
from posetrack.media.live import LiveSource as CameraSource
from posetrack.media.source import open_source


def test_an_address_gives_frames_until_its_end(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=20)
    with CameraSource(clip.as_uri()) as source:
        frames = list(source)
    assert source.is_live
    assert source.kind == "live"
    assert source.size == (320, 240)
    assert len(frames) + source.dropped == 20
    assert clips.frame_number(frames[-1].image) == 19 == frames[-1].index


def test_the_newest_frame_wins_and_drops_are_counted(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=20)
    with CameraSource(clip.as_uri()) as source:
        time.sleep(0.5)
        frames = list(source)
    assert [f.index for f in frames] == [19]
    assert source.dropped == 19


def test_closing_ends_the_iteration_and_the_thread(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=200)
    source = CameraSource(clip.as_uri())
    next(iter(source))
    source.close()
    source.close()
    assert len(list(source)) <= 1
    assert not source._thread.is_alive()


def test_an_address_that_does_not_answer_is_one_line():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(SourceError) as caught:
        open_source(f"rtsp://bob:s3cr3t@127.0.0.1:{port}/x")
    assert "rtsp://bob:***@127.0.0.1" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_device_is_one_line():
    with pytest.raises(SourceNotFound, match="no camera at /dev/video98"):
        open_source("/dev/video98")


def test_a_live_source_has_no_start():
    with pytest.raises(ConfigError, match="is live: start and duration apply to files only"):
        open_source("0", start_s=3)


def test_a_lost_source_is_given_up_with_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr("posetrack.media.camera.BACKOFF_S", 0.01)
    clip = clips.make_clip(tmp_path / "a.ts", frames=20)
    connect = camera._connect

    def endless(spec):
        grabber = connect(spec)
        grabber.finite = False  # as of a sender that never ends
        return grabber

    monkeypatch.setattr(camera, "_connect", endless)
    source = CameraSource(clip.as_uri(), reconnects=2)
    clip.unlink()
    with source, pytest.raises(SourceError, match="was lost and did not come back in 2 attempts"):
        list(source)


PUBLISH = """
import sys, time, av
sys.path.insert(0, sys.argv[2])
import clips
for attempt in range(100):
    try:
        out = av.open(sys.argv[1], "w", format="rtsp", options={"rtsp_transport": "tcp"})
        stream = out.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        out.start_encoding()
        break
    except OSError:
        time.sleep(0.1)
for i in range(75):
    frame = av.VideoFrame.from_ndarray(clips.picture(i), format="bgr24")
    frame.pts = i
    out.mux(stream.encode(frame.reformat(format="yuv420p")))
    time.sleep(0.02)
"""


def test_rtsp_over_loopback(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"rtsp://127.0.0.1:{port}/live"
    real = av.open

    def listening(spec, options, **more):
        # FFmpeg listens itself here, so that the test needs no server
        return real(
            spec, options=options | {"rtsp_flags": "listen", "listen_timeout": "10"}, **more
        )

    monkeypatch.setattr("posetrack.media.camera.av.open", listening)
    sender = subprocess.Popen(
        [sys.executable, "-c", PUBLISH, address, str(Path(__file__).parents[1])],
        stderr=subprocess.DEVNULL,
    )
    try:
        with CameraSource(address, reconnects=0) as source:
            frames = [frame for frame, _ in zip(source, range(20), strict=False)]
    finally:
        sender.kill()
        sender.wait()
    assert len(frames) == 20
    numbers = [clips.frame_number(f.image) for f in frames]
    assert numbers == sorted(set(numbers))
