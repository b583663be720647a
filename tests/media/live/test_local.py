"""Stdin, the screen and cameras: what a machine has itself."""

from __future__ import annotations

import json
import subprocess
import sys

import clips
import cv2
import numpy as np
import pytest
from displays import display

from posetrack.errors import ConfigError, SourceError
from posetrack.media.live import LiveSettings, open_live
from posetrack.media.live.addresses import parse_address
from posetrack.media.live.cameras import Mode, list_cameras, parse_modes
from posetrack.media.live.device import DeviceConnection, fourcc
from posetrack.media.live.stdin import open_stdin

READ = """
import sys
from posetrack.media.live import LiveSettings, open_live
settings = LiveSettings(**eval(sys.argv[1]))
with open_live("-", settings) as source:
    frames = list(source)
print(source.size, len(frames) + source.dropped, frames[-1].index, frames[-1].image.mean() // 10)
"""


def read_stdin(data: bytes, **settings: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ, repr(settings)], input=data, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_a_container_comes_through_stdin(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mkv", frames=12)
    assert read_stdin(clip.read_bytes()).startswith("(320, 240) 12 11")


def test_raw_pictures_come_through_stdin():
    pictures = np.full((7, 24, 32, 3), 155, np.uint8)
    read = read_stdin(pictures.tobytes(), width=32, height=24, format="bgr24")
    assert read == "(32, 24) 7 6 15.0"


def test_raw_pictures_without_a_size_are_refused_with_the_flag_that_gives_it():
    with pytest.raises(ConfigError, match="have no size of their own: give it, as in --size 640x"):
        open_stdin(parse_address("-"), LiveSettings(format="bgr24"), lambda: False)


def test_stdin_that_is_silent_can_be_closed():
    script = (
        "import time; from posetrack.media.live import LiveSource\n"
        "source = LiveSource('-'); time.sleep(0.3); begin = time.perf_counter(); source.close()\n"
        "assert time.perf_counter() - begin < 5 and not source._thread.is_alive()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as reader:
        assert reader.wait(50) == 0


def test_the_screen_is_a_camera(monkeypatch):
    with display("320x200") as name:
        monkeypatch.setenv("DISPLAY", name)
        patient = LiveSettings(fps=20, open_timeout_s=25, read_timeout_s=25)  # a process starts
        with open_live("screen", patient) as source:
            frame = next(iter(source))
        assert source.size == (320, 200)
        assert frame.image.mean() < 5  # black, but for the mouse
        with open_live("screen:40,20,100,60", patient) as source:
            assert source.size == (100, 60)


def test_no_display_is_one_line(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SourceError, match="there is no X display"):
        open_live("screen")


def test_the_formats_of_a_camera_are_read_from_what_ffmpeg_tells():
    log = (
        "Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 1280x720\n"
        "Compressed:       mjpeg :          Motion-JPEG : 1920x1080 {32-64, 2}\n"
        "Compressed: Unsupported :                H.999 : 640x480"
    )
    assert parse_modes(log) == (
        Mode("yuyv422", ((640, 480), (1280, 720))),
        Mode("mjpeg", ((1920, 1080),)),
    )
    assert parse_modes("") == ()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /sys")
def test_cameras_are_listed_in_order_and_without_their_other_nodes(tmp_path):
    for node, index, name in (("video10", 0, "Ten"), ("video2", 0, "Two"), ("video3", 1, "Two")):
        (tmp_path / node).mkdir()
        (tmp_path / node / "index").write_text(f"{index}\n")
        (tmp_path / node / "name").write_text(f"{name}\n")
    found = list_cameras(tmp_path)
    assert [(camera.spec, camera.name) for camera in found] == [
        ("/dev/video2", "Two"),
        ("/dev/video10", "Ten"),
    ]


def test_a_camera_is_asked_for_format_before_size_and_rate(tmp_path, monkeypatch):
    clip = clips.make_clip(tmp_path / "a.avi", frames=3, codec="mjpeg", pix_fmt="yuvj420p")
    asked: list[tuple[int, float]] = []

    real = cv2.VideoCapture

    class Capture:
        """OpenCV's, on a file in place of a camera."""

        def __init__(self, *spec: object) -> None:
            self._file = real(str(clip))

        def set(self, which: int, value: float) -> bool:
            asked.append((which, value))
            return True

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr("posetrack.media.live.device._require", lambda device: None)
    settings = LiveSettings(width=640, height=480, fps=15, format="mjpeg")
    camera = DeviceConnection("0", settings)
    assert [which for which, _ in asked] == [
        cv2.CAP_PROP_FOURCC,
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
        cv2.CAP_PROP_BUFFERSIZE,
    ]
    assert fourcc(int(asked[0][1])) == "mjpg"
    assert [camera.read().shape for _ in range(3)] == [(240, 320, 3)] * 3
    with pytest.raises(SourceError, match="gives no picture"):
        camera.read()
    camera.close()


def test_a_camera_knows_two_formats():
    with pytest.raises(SourceError, match="mjpeg or yuyv"):
        open_live("/dev/video0", LiveSettings(format="h265"))


def test_devices_says_what_there_is():
    command = [sys.executable, "-m", "posetrack", "devices"]
    listed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    if json.loads(listed.stdout):
        assert told.stdout
    else:
        assert told.stderr.startswith("no camera found: ")
