"""`posetrack webcam` on streams over loopback, without a window."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import clips
import pytest
from file_server import Files, serving
from senders import Sender
from waiting import wait_until

from posetrack.media.source import open_source


def test_a_stream_is_recorded_and_its_password_told_nowhere(command, models, tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=20).read_bytes()
    with serving(Files({"/a.mp4": clip})) as base:
        address = base.replace("://", "://bob:s3cret@") + "/a.mp4"
        done = command(
            "webcam", address, *models.flags, "--no-show", "--mirror", "--record", "r.mp4",
            "--json", "r.jsonl",
        )  # fmt: skip
    assert done.status == 0, done.err
    assert "wrote r.mp4" in done.out
    records = Path("r.jsonl").read_text()
    assert "s3cret" not in records + done.out + done.err
    header, *frames = [json.loads(line) for line in records.splitlines()]
    assert header["source"].startswith("http://bob:***@")
    with open_source("r.mp4") as recorded:
        assert len(list(recorded)) == len(frames) > 0  # how many, is up to the machine


def test_live_flags_are_settings(command):
    done = command(
        "webcam", "0", "--size", "640x480", "--fps", "15", "--format", "mjpeg", "--transport",
        "udp", "--reconnect", "forever", "--set", "live.stall_s=1.5", "--print-config",
    )  # fmt: skip
    for line in ("width: 640", "fps: 15.0", "format: mjpeg", "transport: udp", "stall_s: 1.5"):
        assert f"  {line}\n" in done.out
    assert "  reconnects: null\n" in done.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--size", "640"], "--size 640: write width x height"),
        (["--reconnect", "ever"], "--reconnect ever: give a number of attempts, or forever"),
        (["--transport", "smoke"], "--transport: live.transport: input should be 'tcp' or 'udp'"),
        (["--read-timeout", "0"], "--read-timeout: live.read_timeout_s must be more than 0"),
    ],
)
def test_live_flags_that_make_no_sense_are_one_line(command, flags, message):
    done = command("webcam", "0", "--no-show", "--json", "a.jsonl", *flags)
    assert done.status == 2
    assert message in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_a_run_whose_stream_has_stalled_still_stops_at_once(models, tmp_path):
    flags = ["--no-show", "--json", "r.jsonl", "--reconnect", "forever"]
    with Sender() as sender:
        run = subprocess.Popen(
            [sys.executable, "-m", "posetrack", "webcam", sender.address, *models.flags, *flags],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            records = tmp_path / "r.jsonl.part"
            wait_until(lambda: records.exists() and records.stat().st_size, "people come")
            sender.kill()
            told = ""
            while "posetrack: stalled: " not in told:
                line = run.stderr.readline()
                assert line, told
                told += line
            began = time.monotonic()
            run.send_signal(signal.SIGTERM)
            told += run.communicate(timeout=15)[1]
        finally:
            run.kill()
    assert run.returncode == 143, told
    assert time.monotonic() - began < 8
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) > 1
