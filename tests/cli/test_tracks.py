"""`posetrack tracks` and runs that are revised: what a user sees, and what lies on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clips import make_clip
from revision.paths import line, recording, walker

from posetrack.records import LOST, Recording

Run = Callable[..., "Outcome"]  # noqa: F821


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """1 is hidden for a second and comes back as 2; 3 stands."""
    path = line(50, 200, 40)
    pieces = [
        walker(1, path, np.arange(30)),
        walker(2, path, np.arange(55, 90)),
        walker(3, line(500, 200), np.arange(90)),
    ]
    records = tmp_path / "walk.jsonl"
    recording(pieces, 90).write(records)
    return records


def ids(file: Path) -> list[int]:
    return Recording.read(file).ids()


def test_show_lists_everybody(command: Run, file: Path, tmp_path: Path) -> None:
    done = command("tracks", "show", file, "--json", tmp_path / "t.json")
    assert done.status == 0, done.err
    assert "3 tracks in 90 frames" in done.out
    assert "55-89" in done.out
    found = json.loads((tmp_path / "t.json").read_text())["tracks"]
    assert [each["track_id"] for each in found] == [1, 2, 3]
    assert found[1]["first_frame"] == 55


def test_an_edit_keeps_the_first_version_beside_it(command: Run, file: Path) -> None:
    before = file.read_bytes()
    assert command("tracks", "merge", file, 1, 2).status == 0
    assert ids(file) == [1, 3]
    assert command("tracks", "delete", file, 3).status == 0
    assert ids(file) == [1]
    assert file.with_name("walk.original.jsonl").read_bytes() == before


def test_an_edit_can_go_elsewhere(command: Run, file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    done = command("tracks", "cut", file, 3, "--at", "40", "-o", tmp_path / "cut.jsonl")
    assert done.status == 0, done.err
    assert "track 3 goes on as 4" in done.out
    assert ids(tmp_path / "cut.jsonl") == [1, 2, 3, 4]
    assert file.read_bytes() == before
    assert not file.with_name("walk.original.jsonl").exists()


def test_swap_takes_a_time(command: Run, file: Path) -> None:
    before = Recording.read(file)
    assert command("tracks", "swap", file, 1, 3, "--at", "0.8s").status == 0
    after = Recording.read(file)
    assert np.array_equal(after.track(3).frame, np.r_[0:20, 20:30])
    assert np.array_equal(after.track(1).boxes[20:], before.track(3).boxes[20:])


def test_relink_says_what_it_joined(command: Run, file: Path) -> None:
    done = command("tracks", "relink", file)
    assert "joined 1 piece of a track: 2 -> 1" in done.out
    assert ids(file) == [1, 3]
    assert "nothing to join" in command("tracks", "relink", file).out


def test_smooth_fills_a_gap(command: Run, file: Path) -> None:
    command("tracks", "merge", file, 1, 2)
    assert command("tracks", "smooth", file, "--fill-gap", "1.2").status == 0
    found = Recording.read(file).track(1)
    assert found.frame.tolist() == list(range(90))
    assert (found.states == LOST).sum() == 25


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("merge", 1, 3), "1, 3 are there together in frames 0-29"),
        (("merge", 1, 9), "no track 9: known are 1, 2, 3"),
        (("swap", 1, 3, "--at", "soon"), "--at soon: give a frame such as 240, or seconds"),
        (("swap", 1, 3, "--at", "99s"), r"--at 99s: the recording ends at 3.56 s"),
        (("cut", 3, "--at", 0), "cutting it at 0 changes nothing"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_changes(
    command: Run, file: Path, words: tuple, reason: str
) -> None:
    before = file.read_bytes()
    done = command("tracks", words[0], file, *words[1:])
    assert done.status != 0
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert file.read_bytes() == before
    assert not file.with_name("walk.original.jsonl").exists()


def test_repaired_tracks_are_drawn_without_a_model(command: Run, models, tmp_path: Path) -> None:
    clip = tmp_path / "walk.mp4"
    make_clip(clip, frames=12)
    assert command("run", clip, *models.flags).status == 0
    records = tmp_path / "walk.posetrack.jsonl"
    other = tmp_path / "other.mp4"
    look = ["--style", "minimal", "--compare", "raw", "--background", "black"]
    assert command("tracks", "draw", records, clip, "-o", other, *look).status == 0
    with av.open(str(other)) as one:
        wide = next(one.decode(video=0)).to_ndarray(format="bgr24")
    assert wide.shape[1] == 2 * 320
    assert np.median(wide) < 20
    drawn = tmp_path / "again.mp4"
    assert command("tracks", "draw", records, clip, "-o", drawn).status == 0
    with av.open(str(drawn)) as one, av.open(str(tmp_path / "walk.posetrack.mp4")) as two:
        pairs = list(zip(one.decode(video=0), two.decode(video=0), strict=True))
    assert len(pairs) == 12
    for again, first in pairs:
        apart = again.to_ndarray(format="rgb24").astype(int) - first.to_ndarray(format="rgb24")
        assert np.abs(apart).mean() < 1


def test_records_of_another_video_are_refused(command: Run, file: Path, tmp_path: Path) -> None:
    clip = tmp_path / "other.mp4"
    make_clip(clip, frames=3)
    done = command("tracks", "draw", file, clip)
    assert done.status != 0
    assert "the records are of 640x480: name their source" in done.err


def test_a_run_can_be_smoothed_with_its_future_known(command: Run, models, tmp_path: Path) -> None:
    clip = tmp_path / "walk.mp4"
    make_clip(clip, frames=12)
    done = command("run", clip, *models.flags, "--smooth", "offline", "--relink", "--save", "csv")
    assert done.status == 0, done.err
    names = {"walk.mp4", "walk.posetrack.mp4", "walk.posetrack.jsonl", "walk.posetrack.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names
    found = Recording.read(tmp_path / "walk.posetrack.jsonl")
    assert len(found.frames) == 12
    assert found.header.settings["revision"]["smooth"] == "offline"
    assert len((tmp_path / "walk.posetrack.csv").read_text().splitlines()) == 1 + 12 * 17
    with av.open(str(tmp_path / "walk.posetrack.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_only_records_need_no_second_reading(command: Run, models, tmp_path: Path) -> None:
    clip = tmp_path / "walk.mp4"
    make_clip(clip, frames=6)
    done = command("run", clip, *models.flags, "--smooth", "offline", "--no-video")
    assert done.status == 0, done.err
    assert "drawing" not in done.err
    assert {p.name for p in tmp_path.iterdir()} == {"walk.mp4", "walk.posetrack.jsonl"}
