"""`posetrack batch` on generated clips with tiny models: outputs, failures, signals, resuming."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip, make_sound

from posetrack.cli.main import main
from posetrack.cli.progress import VideoProgress

Run = Callable[..., "Outcome"]  # noqa: F821
pytestmark = pytest.mark.timeout(180)  # seconds each, but minutes where the machine is busy
ROOT = Path(__file__).parents[2]
LETHAL = ["--backend", "lethal:Lethal"]
SLEEPY = ["--backend", "sleepy:Sleepy", "--det-interval", "1"]
BATCH = [sys.executable, "-m", "posetrack", "batch"]
FRAMES = 120


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three clips, two of which have one name."""
    folder = tmp_path / "in"
    for name, frames in (("a/x.mp4", 9), ("b/x.mp4", 14), ("y.mov", 6)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        make_clip(folder / name, frames=frames)
    return folder


def entries(out: Path, status: str | None = None) -> list[dict]:
    """The lines of all manifests, or those of a status."""
    found = [
        json.loads(line)
        for path in sorted(out.glob("manifest*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [e for e in found if status is None or e["status"] == status]


def files(out: Path) -> set[str]:
    return {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}


def white(path: Path) -> Path:
    return make_clip(path, frames=4, image=lambda index: np.full((240, 320, 3), 255, np.uint8))


def test_outputs_are_those_of_run_byte_for_byte_whatever_the_number_of_workers(
    command: Run, models, videos: Path, tmp_path: Path
) -> None:
    flags = [*models.flags, "--reid", models.reid, "--save", "csv", "--det-interval", 3]
    flags += ["--tracker", "mmdeploy", "--set", "tracker.revive_s=30"]
    names = ["a/x", "b/x", "y"]
    for name, video in zip(names, ("a/x.mp4", "b/x.mp4", "y.mov"), strict=True):
        alone = tmp_path / "alone" / Path(name).parent
        done = command("run", videos / video, *flags, "-o", f"{alone}{os.sep}")
        assert done.status == 0, done.err
    for count in (1, 2):
        out = tmp_path / f"out{count}"
        done = command("batch", videos, *flags, "-o", out, "-j", count)
        assert done.status == 0, done.err
        wanted = {f"{n}.posetrack.{s}" for n in names for s in ("mp4", "jsonl", "csv")}
        assert files(out) == {*wanted, "manifest.jsonl"}
        for name in wanted:
            same = (out / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
            assert same, f"{name} with -j {count}"
    found = {entry["name"]: entry for entry in entries(out, "done")}
    assert {name: entry["frames"] for name, entry in found.items()} == {"a/x": 9, "b/x": 14, "y": 6}
    assert found["y"]["outputs"] == [f"y.posetrack.{s}" for s in ("mp4", "jsonl", "csv")]
    for word in ("videos", "done", "3", "29 in", "fps", "videos/h", "wrote"):
        assert word in done.out
    assert "3 of 3 videos done" in done.err


def test_resume_knows_outputs_that_are_folders_or_one_file_a_person(
    command: Run, models, videos: Path, tmp_path: Path
) -> None:
    flags = [*models.flags, "--no-video", "--save", "openpose,trc", "-o", "out", "-j", 1]
    for resumed in ([], ["--resume"]):
        done = command("batch", videos / "y.mov", *flags, *resumed)
        assert done.status == 0, done.err
        found = entries(tmp_path / "out", "done")
        assert len(found) == 1
    names = {"y.posetrack.jsonl", "y.posetrack.openpose", "y.posetrack.id1.trc"}
    assert set(found[0]["outputs"]) == names


def test_revised_tracks_are_those_of_run_too(
    command: Run, models, videos: Path, tmp_path: Path
) -> None:
    flags = [*models.flags, "--smooth", "offline", "--relink", "--no-video"]
    assert command("run", videos / "y.mov", *flags, "-o", "alone").status == 0
    done = command("batch", videos / "y.mov", *flags, "-o", "out", "-j", 1)
    assert done.status == 0, done.err
    assert "relink" not in done.err
    name = "y.posetrack.jsonl"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_bad_video_among_good_ones_fails_alone(
    command: Run, models, videos: Path, tmp_path: Path
) -> None:
    (videos / "empty.mp4").touch()
    make_sound(videos / "sound.m4v")
    whole = (videos / "b/x.mp4").read_bytes()
    (videos / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    make_clip(videos / "short.avi", frames=60, codec="mpeg4")
    whole = (videos / "short.avi").read_bytes()
    (videos / "short.avi").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "list.txt").write_text(f"{videos}\n{videos}/gone.mp4\n")
    done = command("batch", "list.txt", *models.flags, "-o", "out", "-j", 1, "--no-video")
    assert done.status == 1
    out = tmp_path / "out"
    reasons = {entry["name"]: entry["error"] for entry in entries(out, "failed")}
    assert set(reasons) == {"empty", "sound", "cut", "gone"}
    assert "is empty (0 bytes)" in reasons["empty"]
    assert "sound only" in reasons["sound"]
    assert "cut off before its index" in reasons["cut"]
    assert "no such file" in reasons["gone"]
    assert len(entries(out, "failed")) == 8  # each was tried again
    warnings = {entry["name"]: entry["warnings"] for entry in entries(out, "done")}
    assert set(warnings) == {"a/x", "b/x", "y", "short"}
    assert [name for name, said in warnings.items() if said] == ["short"]
    assert "short.avi breaks off at" in warnings["short"][0]
    assert "4, 1 warned" in done.out
    assert "failed empty.mp4: " in done.out
    assert "Traceback" not in done.err
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_fails_one_video_and_is_replaced(
    command: Run, models, videos: Path, tmp_path: Path, monkeypatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("LETHAL_SIGNAL", str(int(number)))
    white(videos / "b/white.mp4")
    flags = [*models.flags, *LETHAL, "--retries", 0]
    done = command("batch", videos, *flags, "-o", "out", "-j", 1)
    assert done.status == 1, done.err
    out = tmp_path / "out"
    (failed,) = entries(out, "failed")
    assert failed["name"] == "b/white"
    assert f"its worker process was killed by {number.name}" in failed["error"]
    assert [entry["name"] for entry in entries(out, "done")] == ["a/x", "b/x", "y"]
    assert not [name for name in files(out) if "white" in name]


def test_a_video_that_fails_once_is_done_at_the_second_attempt(
    command: Run, models, videos: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("LETHAL_ONCE", str(tmp_path / "died"))
    white(videos / "white.mp4")
    flags = [*models.flags, *LETHAL, "--no-video"]
    done = command("batch", videos, *flags, "-o", "out", "-j", 2)
    assert done.status == 0, done.err
    tries = [(e["status"], e["attempt"]) for e in entries(tmp_path / "out") if "white" in str(e)]
    assert tries == [("failed", 1), ("done", 2)]
    assert "will be tried again" in done.err


def test_resume_does_what_is_left(command: Run, models, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    again = ["batch", videos, *models.flags, "--no-video", "-o", out, "-j", 1, "--resume"]
    assert command(*again, "--shard", "2/3").status == 0
    assert [entry["name"] for entry in entries(out)[1:]] == ["b/x"]
    (out / "y.posetrack.jsonl.part").write_text("cut off by a crash")
    done = command(*again)
    assert done.status == 0, done.err
    assert "1, done before" in done.out
    assert {entry["name"] for entry in entries(out, "done")} == {"a/x", "b/x", "y"}
    assert len(entries(out, "done")) == 3
    assert not list(out.rglob("*.part"))
    lines = len(entries(out))
    done = command(*again)
    assert done.status == 0, done.err
    assert "3, done before" in done.out
    assert len(entries(out)) == lines
    (out / "b/x.posetrack.jsonl").unlink()
    assert command(*again).status == 0
    assert len(entries(out)) == lines + 2  # begun, and one video
    assert (out / "b/x.posetrack.jsonl").is_file()


def test_models_that_cannot_be_loaded_fail_the_batch_and_no_video(
    command: Run, models, videos: Path, tmp_path: Path
) -> None:
    flags = ["--det", models.det, "--pose", models.pose, "--device", "cuda"]
    done = command("batch", videos, *flags, "-o", "out", "-j", 2)
    assert done.status == 1
    assert "device 'cuda' asked" in done.err
    assert not entries(tmp_path / "out", "failed")


@pytest.mark.parametrize(
    ("args", "status", "text"),
    [
        (["-o", "out"], 2, "name videos, a folder"),
        (["in"], 2, "-o FOLDER"),
        (["in", "-o", "out", "--shard", "3/2"], 2, "--shard 3/2"),
        (["in", "-o", "out", "-j", "0"], 2, "-j"),
        (["in", "-o", "out", "--backend", "ncnn"], 2, "ncnn"),
        (["in", "-o", "out", "--set", "detector.asynchronous=true"], 2, "live sources"),
        (["in", "-o", "out", "--no-video", "--no-json"], 2, "nothing to write"),
        (["in", "-o", "out", "--det", "nothing.onnx"], 1, "nothing.onnx not found"),
        (["gone/*.mp4", "-o", "out"], 1, "matches nothing"),
    ],
)
def test_usage_is_checked_before_anything_is_done(
    command: Run, videos: Path, tmp_path: Path, args: list[str], status: int, text: str
) -> None:
    done = command("batch", *args)
    assert done.status == status, done.err
    assert text in done.err
    assert not (tmp_path / "out").exists()


def test_the_configuration_is_printed(command: Run) -> None:
    done = command("batch", "--print-config", "--det-interval", 7)
    assert done.status == 0
    assert "interval: 7" in done.out


def test_a_terminal_sees_videos_speed_and_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with VideoProgress(3) as progress:
        progress.advance("a", 5, 10)
        progress.advance("b", 5, None)
        progress.end("b", "b.mp4", 9, None, last=True)
        progress.end("a", "a.mp4", 0, "it broke", last=True)
    shown = capsys.readouterr().err
    assert "posetrack: a.mp4: it broke" in shown
    assert "b.mp4" not in shown
    assert "1 of 3 videos done, 1 failed" in shown
    assert "fps" in shown


@pytest.fixture
def child(models, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a batch of long clips in a process group of its own, and waits until it works."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "in").mkdir()
    clip = make_clip(tmp_path / "in" / "a.mp4", frames=FRAMES)
    for name in "bc":
        shutil.copy(clip, clip.with_stem(name))

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*BATCH, "in", "-o", "out", "-j", "2", *models.flags, *SLEEPY],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            start_new_session=True,
        )
        started.append(process)
        deadline = time.monotonic() + 90
        while not list((tmp_path / "out").glob("*.part")) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="signals a process group")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_what_was_begun(child, tmp_path: Path, number: int) -> None:
    process = child()
    os.killpg(process.pid, number)  # the workers get it too, as from a terminal
    out, err = process.communicate(timeout=90)
    assert process.returncode == 128 + number, err
    assert "finishing what was begun" in err
    assert "--resume goes on" in err
    assert "Traceback" not in err
    done = entries(tmp_path / "out", "done")
    assert 1 <= len(done) < 3
    assert all(entry["frames"] == FRAMES for entry in done)
    assert not entries(tmp_path / "out", "failed")
    assert "left" in out
    assert not list((tmp_path / "out").glob("*.part"))


@pytest.mark.skipif(sys.platform != "linux", reason="signals a process group")
def test_the_second_signal_drops_it(child, tmp_path: Path) -> None:
    process = child()
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert files(tmp_path / "out") == {"manifest.jsonl"}
    assert not entries(tmp_path / "out", "done")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_batch_that_is_killed_and_resume_goes_on(
    child, models, tmp_path: Path, monkeypatch, capsys
) -> None:
    process = child()
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = task.read_text().split()
    assert len(workers) >= 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while any(map(lives, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, workers))
    monkeypatch.chdir(tmp_path)
    args = ["batch", "in", "-o", "out", *models.flags, "--resume"]
    assert main(args) == 0, capsys.readouterr().err
    assert {entry["name"] for entry in entries(tmp_path / "out", "done")} == set("abc")
    assert not list((tmp_path / "out").glob("*.part"))


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
