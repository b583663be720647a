"""Tracking figures: equal to the library's on MOTChallenge files, and right on small cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.errors import ConfigError
from posetrack.evaluation.motion import lag_ms, motion_figures, series_of
from posetrack.evaluation.trackfiles import TrackedFrame, TrackFile, read_tracks
from posetrack.evaluation.tracking import tracking_figures
from posetrack.skeletons import Skeleton

pytest.importorskip("trackers", reason="the extra eval is not installed")

PAIR = Skeleton("pair", ("left_hand", "right_hand"), sigmas=(0.1, 0.1))
KEYS = {
    "HOTA": ("hota", "deta", "assa", "loca"),
    "CLEAR": ("mota", "recall", "precision", "id_switches", "fragments"),
    "Identity": ("idf1",),
}
NAMES = {
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
    "loca": "LocA",
    "mota": "MOTA",
    "recall": "CLR_Re",
    "precision": "CLR_Pr",
    "id_switches": "IDSW",
    "fragments": "Frag",
    "idf1": "IDF1",
}


def write_mot(path: Path, rows: Sequence[Sequence[float]]) -> Path:
    path.write_text("".join(",".join(f"{v:g}" for v in row) + "\n" for row in rows))
    return path


def spoiled(truth: Sequence[Sequence[float]], seed: int) -> list[list[float]]:
    """A tracker's idea of the truth: moved, missing, swapped and invented boxes."""
    rng = np.random.default_rng(seed)
    rows = []
    for frame, number, x, y, w, h, flag, kind, *_ in truth:
        if flag == 0 or kind != 1 or rng.random() < 0.2:
            continue
        swapped = number + 100 * (frame > 20) * (number % 2)
        x, y = x + rng.normal(0, 0.1 * w), y + rng.normal(0, 0.1 * h)
        rows.append([frame, swapped, x, y, w * rng.uniform(0.8, 1.2), h, rng.random(), -1, -1, -1])
        if rng.random() < 0.1:
            rows.append([frame, 900 + rng.integers(3), x + 2 * w, y, w, h, 0, -1, -1, -1])
    return rows


def library(truth: Path, found: Path) -> dict[str, float]:
    from trackers.eval import evaluate_mot_sequence

    result = evaluate_mot_sequence(truth, found, ["CLEAR", "HOTA", "Identity"])
    return {
        key: float(getattr(getattr(result, family), NAMES[key]))
        for family, keys in KEYS.items()
        for key in keys
    }


def assert_equal_to_the_library(truth: Path, found: Path) -> None:
    ours = tracking_figures(
        read_tracks(found, truth=False), read_tracks(truth, truth=True), similarity="iou"
    )
    theirs = library(truth, found)
    assert {key: ours[key] for key in theirs} == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_the_library_s(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed + 10)
    rows = []
    for number in range(1, 7):
        x, y, vx = rng.uniform(0, 400), rng.uniform(0, 300), rng.uniform(-4, 4)
        for frame in range(int(rng.integers(1, 10)), int(rng.integers(30, 60))):
            kind = 7 if number == 6 else 1  # somebody static: found or not, both are right
            flag = int(not (number == 5 and frame % 3 == 0))
            rows.append([frame, number, x + vx * frame, y, 40, 90, flag, kind, 1])
    truth = write_mot(tmp_path / "gt.txt", rows)
    found = spoiled([[*row[:6], 1, 1] for row in rows], seed)
    assert_equal_to_the_library(truth, write_mot(tmp_path / "found.txt", found))


@pytest.mark.shared
@pytest.mark.parametrize("clip", ["TUD-Campus", "TUD-Stadtmitte", "PETS09-S2L1"])
def test_figures_are_the_library_s_on_real_truth(
    shared_dir: Path, tmp_path: Path, clip: str
) -> None:
    truth = shared_dir / "data" / "video" / clip / "gt.txt"
    rows = [[float(v) for v in line.split(",")] for line in truth.read_text().splitlines()]
    assert_equal_to_the_library(truth, write_mot(tmp_path / "found.txt", spoiled(rows, 1)))


def person(
    number: int, x: float, *, points: Sequence[float] = (0, 0, 2, 0, 0, 2)
) -> dict[str, Any]:
    keypoints = [x + v if i % 3 == 0 else v for i, v in enumerate(points)]
    return {"bbox": [x, 0, 40, 80], "keypoints": keypoints, "track_id": number, "area": 1600}


def write_video(path: Path, frames: dict[int, list[dict[str, Any]]], **fields: Any) -> Path:
    images = [{"id": 7 + i, "frame_id": i, "video_id": 3, **fields} for i in frames]
    rows = [row | {"image_id": 7 + i} for i, people in frames.items() for row in people]
    category = {"id": 1, "name": "person", "keypoints": list(PAIR.keypoints)}
    data = {"images": images, "annotations": rows, "categories": [category]}
    path.write_text(json.dumps(data | {"videos": [{"id": 3, "name": "one"}]}))
    return path


def test_keypoints_tell_people_apart_whose_boxes_do_not(tmp_path: Path) -> None:
    hands = [0, 10, 2, 30, 10, 2], [0, 70, 2, 30, 70, 2]
    true = {i: [person(n, 5.0, points=hands[n]) for n in (0, 1)] for i in range(4)}
    swapped = {i: [person(n ^ (i > 1), 5.0, points=hands[n]) for n in (0, 1)] for i in range(4)}
    truth = read_tracks(write_video(tmp_path / "a.json", true), truth=True)
    found = read_tracks(write_video(tmp_path / "b.json", swapped), truth=False)
    by_points = tracking_figures(found, truth, similarity="oks")
    assert by_points["id_switches"] == 2
    assert by_points["idf1"] == 0.5
    assert by_points["coverage"] == by_points["deta"] == 1
    same = tracking_figures(truth, truth, similarity="oks")
    assert (same["hota"], same["idf1"], same["id_switches"]) == (1, 1, 0)


def test_frames_that_were_not_annotated_do_not_count(tmp_path: Path) -> None:
    truth = read_tracks(
        write_video(tmp_path / "a.json", {0: [person(1, 5)], 4: [person(1, 9)]}), truth=True
    )
    everywhere = {i: [person(1, 5 + i), person(2, 200)] for i in range(5)}
    found = read_tracks(write_video(tmp_path / "b.json", everywhere), truth=False)
    figures = tracking_figures(found, truth, similarity="iou")
    assert (figures["frames"], figures["recall"], figures["precision"]) == (2, 1, 0.5)


def test_whoever_is_in_a_crowd_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    crowd = {"bbox": [200, 0, 40, 80], "iscrowd": 1}
    truth = read_tracks(write_video(tmp_path / "a.json", {0: [person(1, 5), crowd]}), truth=True)
    found = read_tracks(
        write_video(tmp_path / "b.json", {0: [person(1, 5), person(2, 202)]}), truth=False
    )
    assert tracking_figures(found, truth, similarity="iou")["precision"] == 1


def test_one_of_several_videos_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.json", {0: [person(1, 5)]})
    data = json.loads(path.read_text())
    data["images"].append({"id": 99, "frame_id": 0, "video_id": 4})
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=r"holds 2 videos \(4, one, ...\): name one with --video"):
        read_tracks(path, truth=True)
    assert len(read_tracks(path, truth=True, video="one").at(0)) == 1
    assert len(read_tracks(path, truth=True, video="4").at(0)) == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "it is empty"),
        ("a.txt", "1,2,3\n", "line 1 has 3 numbers, a box takes 6"),
        ("a.txt", "1,one,3,4,5,6\n", "could not convert"),
        ("a.json", "{}", "no 'images'"),
        ("a.json", '{"images": [], "annotations": []}', "it holds no images"),
        ("a.csv", "1", "give MOTChallenge .txt"),
    ],
)
def test_files_that_hold_no_tracks(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_tracks(path, truth=True)


def test_boxes_alone_have_no_oks(tmp_path: Path) -> None:
    boxes = read_tracks(write_mot(tmp_path / "a.txt", [[1, 1, 5, 0, 40, 80, 1, 1]]), truth=True)
    with pytest.raises(ConfigError, match=r"a.txt has no keypoints"):
        tracking_figures(boxes, boxes, similarity="oks")


def moving(points: np.ndarray, *, raw: np.ndarray | None = None, fps: float = 25.0) -> TrackFile:
    """One person whose two keypoints are at `points` (T, 2, 2); the box is 100 px high."""
    count = len(points)
    frames = {
        i: TrackedFrame(
            np.ones(1, np.int64),
            np.array([[0.0, 0.0, 50.0, 100.0]]),
            points[i][None].astype(np.float64),
            np.ones((1, 2), bool),
            np.array([5000.0]),
            np.zeros((0, 4)),
            raw=None if raw is None else raw[i][None],
        )
        for i in range(count)
    }
    return TrackFile(Path("moving.jsonl"), frames, PAIR, fps)


def swing(shift: float = 0.0, count: int = 120) -> np.ndarray:
    time = np.arange(count)[:, None] - shift
    wave = np.sin(time / 7 + np.array([0, 1])) + 0.4 * np.sin(time / 3.1)
    return np.stack([40 * wave + 50, 15 * np.cos(time / 5 + np.array([0, 2]))], axis=-1)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_lag_is_the_shift_of_the_smoothed(shift: float) -> None:
    found = motion_figures(moving(swing(shift), raw=swing()))
    assert found["lag_ms"] == pytest.approx(1000 * shift / 25, abs=2)


def test_jerk_of_a_cube_is_its_third_derivative() -> None:
    time = np.arange(30) / 25
    points = np.zeros((30, 2, 2))
    points[..., 0] = 100 * time[:, None] ** 3
    (series,) = series_of(moving(points))
    assert np.linalg.norm(series.difference(3), axis=1) == pytest.approx(6, rel=1e-6)
    assert motion_figures(moving(points))["jerk"] == pytest.approx(6, rel=1e-6)


def test_a_keypoint_that_is_not_shown_breaks_only_its_own_series() -> None:
    tracks = moving(swing(count=10))
    tracks.frames[5].visible[0, 1] = False
    (series,) = series_of(tracks)
    assert len(series.difference(3)) == 7 + 3  # the other has frames 0-4 and 6-9: 2 + 1


def test_a_gap_is_two_series() -> None:
    tracks = moving(swing(count=10))
    frames = {i: frame for i, frame in tracks.frames.items() if i != 4}
    assert [len(s.points) for s in series_of(TrackFile(tracks.path, frames, PAIR, 25.0))] == [4, 5]


def test_the_acceleration_error_is_that_of_the_difference() -> None:
    noise = np.zeros((40, 2, 2))
    noise[::2, :, 0] = 1.0  # px: accelerations of the error are 2 * 25^2 px
    error = motion_figures(moving(swing(count=40) + noise), moving(swing(count=40)))
    assert error["acceleration_error"] == pytest.approx(2 * 25**2 / 100, rel=1e-6)


def test_nothing_to_correlate_has_no_lag() -> None:
    short = list(series_of(moving(swing(count=4))))
    assert lag_ms(short, short) is None
