"""The preview window, the words on it, and what its keys do."""

from __future__ import annotations

import time

import clips
import cv2
import numpy as np
import pytest
from displays import display

from posetrack.cli.controls import LiveControls
from posetrack.errors import SinkError
from posetrack.media.mirror import mirrored
from posetrack.media.overlay import Pulse, write_words
from posetrack.media.painter import Painter
from posetrack.media.preview import PreviewWindow
from posetrack.media.recorder import Recorder
from posetrack.media.source import open_source
from posetrack.media.styles import Style
from posetrack.media.virtual import VirtualCameraSink
from posetrack.schedule import Every
from posetrack.skeletons import load_skeleton
from posetrack.types import Frame, Poses, Result, Tracks

COCO = load_skeleton("coco")


def result(index: int = 0, size: tuple[int, int] = (320, 240)) -> Result:
    """One person whose left wrist is at (30, 40)."""
    keypoints = np.full((1, len(COCO), 2), 50, np.float32)
    keypoints[0, COCO.keypoints.index("left_wrist")] = (30, 40)
    boxes = np.array([[20, 30, 60, 90]], np.float32)
    poses = Poses(keypoints, np.ones((1, len(COCO))), boxes, np.ones(1), COCO)
    tracks = Tracks(poses, np.array([7]), np.ones(1), np.ones(1, bool))
    frame = Frame(clips.picture(index, size), index, index / 25, time.perf_counter(), "test")
    return Result(frame, tracks, keypoints, True)


@pytest.fixture
def source(tmp_path):
    with open_source(clips.make_clip(tmp_path / "source.mp4", frames=2)) as opened:
        yield opened


@pytest.fixture
def controls(tmp_path, source):
    return make_controls(Recorder(tmp_path / "a.mp4", source, on=False), source)


def make_controls(recorder: Recorder, source: object) -> LiveControls:
    quits: list[bool] = []
    made = LiveControls(
        source,
        Every(5),
        painter=Painter(Style(background="black", layers=frozenset())),
        recorder=recorder,
        quit_=lambda: quits.append(True),
    )
    made.quits = quits
    return made


def test_a_mirrored_result_keeps_left_and_right():
    before = result()
    after = mirrored(before)
    assert np.array_equal(after.frame.image, before.frame.image[:, ::-1])
    wrist = COCO.keypoints.index("left_wrist")
    assert after.tracks.poses.keypoints[0, wrist].tolist() == [319 - 30, 40]
    assert after.raw[0, wrist].tolist() == [319 - 30, 40]
    assert after.tracks.poses.boxes.tolist() == [[319 - 60, 30, 319 - 20, 90]]
    assert np.array_equal(mirrored(after).tracks.poses.keypoints, before.tracks.poses.keypoints)


def test_keys_change_what_they_should(controls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = (result(), clips.picture(3))
    interval = controls._schedule
    for key, check in (
        ("+", lambda: interval.interval == 6),
        ("=", lambda: interval.interval == 7),
        ("-", lambda: interval.interval == 6),
        (" ", lambda: controls.paused),
        ("d", lambda: not controls.drawing),
        ("r", lambda: controls._recorder.recording),
        ("x", lambda: True),
        ("q", lambda: controls.quits == [True]),
    ):
        controls.press(key, shown)
        assert check(), key
    for _ in range(100):
        controls.press("-", shown)
    assert interval.interval == 1
    controls.press("s", shown)
    saved = list(tmp_path.glob("posetrack-*.png"))
    assert clips.frame_number(cv2.imread(str(saved[0]))) == 3


def test_words_tell_drops_and_interval_and_warn(controls):
    controls.draw(result(0))
    controls.draw(result(4))
    assert controls.words() == (["3 dropped", "det 5"], [])
    controls.press(" ", (result(), clips.picture(0)))
    controls.press("r", (result(), clips.picture(0)))
    assert controls.words()[1] == ["REC", "paused"]


def test_drawing_can_be_switched_off(controls):
    assert not controls.draw(result()).any()
    controls.press("d", (result(), clips.picture(0)))
    assert np.array_equal(controls.draw(result()), clips.picture(0))


def test_words_are_drawn_into_the_corner_and_wrap():
    image = np.full((240, 320, 3), 128, np.uint8)
    write_words(image, ["24.9 fps", "38 ms", "3 dropped", "det 5"], ["stalled 12 s"])
    changed = np.argwhere((image != 128).any(2))
    assert changed[:, 0].max() < 40
    assert (image == (40, 40, 190)).all(2).any()


def test_pulse_tells_rate_and_latency(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now_s[0])
    pulse = Pulse()
    assert pulse.reading() == (0.0, 0.0)
    for index in range(6):
        shown = result(index)
        now_s[0] += 0.03
        pulse.beat(shown)
        now_s[0] += 0.02
    assert pulse.reading() == pytest.approx((20, 0.03))
    now_s[0] += 3
    assert pulse.reading() == (0.0, 0.0)


def test_recording_can_be_stopped_and_begun_again(tmp_path, source):
    recorder = Recorder(tmp_path / "a.mp4", source)
    recorder.open()
    for index in range(30):
        if index in (10, 20):
            recorder.switch()
        recorder.write(result(index), clips.picture(index))
    recorder.finish()
    assert [path.name for path in recorder.written] == ["a.mp4", "a-2.mp4"]
    assert [len(clips_in(path)) for path in recorder.written] == [10, 10]
    assert clips_in(recorder.written[1])[0] == 20


def clips_in(path) -> list[int]:
    with open_source(path) as video:
        return [clips.frame_number(frame.image) for frame in video]


def test_a_virtual_camera_that_is_none_is_one_line(tmp_path):
    with pytest.raises(SinkError, match="is no device: modprobe v4l2loopback"):
        VirtualCameraSink(tmp_path / "video10", size=(320, 240), fps=25).open()


def test_a_window_without_a_display_is_one_line(controls, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match="cannot show a window: there is no display"):
        PreviewWindow(controls).open()


SHOW = """
import sys, time
sys.path.insert(0, sys.argv[1])
import posetrack.media  # OpenCV before PyAV
import test_preview as tests
from posetrack.media.preview import PreviewWindow
from posetrack.media.recorder import Recorder
from pathlib import Path
controls = tests.make_controls(Recorder(Path("a.mp4"), None, on=False), None)
keys = []
window = PreviewWindow(controls, poll=lambda: keys.pop(0) if keys else -1)
window.open()
for index in range(8):
    window.write(tests.result(index), tests.clips.picture(index))
    time.sleep(0.05)
    if index == 0:  # nobody presses a key before there is a picture
        keys += [-1] * 5 + [ord("+"), ord(" "), -1, ord("q")]
begin = time.perf_counter()
while not controls.quits and time.perf_counter() - begin < 20:
    time.sleep(0.05)
shown = window.picture()
window.finish()
print(controls._schedule.interval, controls.paused, controls.quits, shown.shape)
"""


def test_a_real_window_answers_its_keys(tmp_path):
    import os
    import subprocess
    import sys
    from pathlib import Path

    here = Path(__file__).parent
    with display() as name:
        # A process of its own: Qt ends the whole process where something is wrong.
        done = subprocess.run(
            [sys.executable, "-c", SHOW, str(here)],
            env=os.environ
            | {"DISPLAY": name, "PYTHONPATH": os.pathsep.join([*sys.path, str(here.parent)])},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
    assert done.stdout.strip() == "6 True [True] (240, 320, 3)", done.stderr[-600:]
