"""Records: what is written is read back, the same bytes each time, damage is named."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.errors import SinkError, SourceError, SourceNotFound
from posetrack.records import SCHEMA, CsvWriter, Header, Record, RecordWriter, read_records, states
from posetrack.skeletons import load_skeleton
from posetrack.types import Frame, Poses, Result, Tracks

COCO = load_skeleton("coco")


def result(index: int = 0, people: int = 2, *, seed: int = 0, depths: bool = False) -> Result:
    rng = np.random.default_rng(seed + index)
    keypoints = rng.uniform(-20, 1900, (people, 17, 2)).astype(np.float32)
    boxes = rng.uniform(0, 1900, (people, 4)).astype(np.float32)
    z = rng.normal(size=(people, 17)) if depths else None
    poses = Poses(
        keypoints, rng.uniform(0, 1, (people, 17)), boxes, rng.uniform(0, 1, people), COCO, z
    )
    ids = np.arange(people) + 10**10
    tracks = Tracks(poses, ids, np.arange(people) * 0.5, np.arange(people) != 2)
    raw = keypoints + rng.normal(size=keypoints.shape).astype(np.float32)
    image = np.zeros((4, 4, 3), np.uint8)
    return Result(Frame(image, index, index / 29.97, 0.0), tracks, raw, index % 5 == 0)


def header(**changes) -> Header:
    known = {
        "source": "ünïcode.mp4",
        "size": (1920, 1080),
        "fps": 30000 / 1001,
        "skeleton": COCO,
        "models": {"detection": "d", "pose": "p"},
        "settings": {"tracker": {"max_age_s": 0.5}},
    }
    return Header(**(known | changes))


def write(path: Path, results: list[Result]) -> Path:
    sink = RecordWriter(path, header())
    sink.open()
    for one in results:
        sink.write(one)
    sink.finish()
    return path


def test_what_was_written_is_read_back(tmp_path):
    results = [result(i, people) for i, people in enumerate([2, 0, 5])]
    got_header, records = read_records(write(tmp_path / "a.jsonl", results))
    assert got_header.skeleton.keypoints == COCO.keypoints
    assert got_header.skeleton.limbs == COCO.limbs
    assert got_header.skeleton.sigmas == COCO.sigmas
    assert (got_header.source, got_header.size) == ("ünïcode.mp4", (1920, 1080))
    assert got_header.fps == 30000 / 1001
    assert got_header.settings == {"tracker": {"max_age_s": 0.5}}
    rows = list(records)
    assert [len(r) for r in rows] == [2, 0, 5]
    for want, got in zip(results, rows, strict=True):
        poses = want.tracks.poses
        assert got.frame == want.frame.index
        assert got.pts_s == pytest.approx(want.frame.pts_s, abs=1e-6)
        assert got.detector_ran == want.detector_ran
        np.testing.assert_array_equal(got.ids, want.tracks.ids)
        np.testing.assert_allclose(got.keypoints, poses.keypoints, atol=0.0052)
        np.testing.assert_allclose(got.raw, want.raw, atol=0.0052)
        np.testing.assert_allclose(got.boxes, poses.boxes, atol=0.0052)
        np.testing.assert_allclose(got.scores, poses.scores, atol=5.1e-5)
        np.testing.assert_allclose(got.box_scores, poses.box_scores, atol=5.1e-5)
        assert got.states == states(want.tracks)


def test_states_tell_new_tracked_and_lost():
    assert states(result(people=3).tracks) == ("new", "tracked", "lost")


def test_depths_of_3d_models_are_kept(tmp_path):
    one = result(people=2, depths=True)
    _, records = read_records(write(tmp_path / "a.jsonl", [one]))
    np.testing.assert_allclose(next(records).depths, one.tracks.poses.depths, atol=5.1e-5)


def test_the_lines_have_the_documented_form(tmp_path):
    lines = write(tmp_path / "a.jsonl", [result(people=1)]).read_text("utf-8").splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first["schema"] == SCHEMA == "posetrack/1"
    assert list(first) == [
        "schema", "version", "source", "size", "fps", "skeleton", "models", "settings",
    ]  # fmt: skip
    assert list(second) == ["frame", "pts_s", "detector", "people"]
    (person,) = second["people"]
    assert list(person) == ["id", "box", "score", "state", "keypoints", "raw"]
    assert len(person["keypoints"]) == 17
    assert len(person["keypoints"][0]) == 3
    assert len(person["raw"][0]) == 2


@settings(max_examples=60, deadline=None)
@given(st.floats(-4000, 4000, width=32), st.floats(0, 1, width=32))
def test_numbers_are_short(x, score):
    poses = Poses(
        np.full((1, 17, 2), x), np.full((1, 17), score), np.full((1, 4), x), [score], COCO
    )
    tracks = Tracks(poses, [1], [1], [True])
    frame = Frame(np.zeros((1, 1, 3), np.uint8), 0, 0.0, 0.0)
    person = Record.of(Result(frame, tracks, poses.keypoints, True)).people()[0]
    got_x, _, got_score = person["keypoints"][0]
    assert len(repr(got_x).rpartition(".")[2]) <= 2
    assert len(repr(got_score)) <= 6 or got_score < 1e-3
    assert abs(got_x - x) <= 0.005 + 1e-9
    json.dumps(person)


def test_the_same_results_give_the_same_bytes(tmp_path):
    results = [result(i, 5) for i in range(4)]
    a, b = write(tmp_path / "a.jsonl", results), write(tmp_path / "b.jsonl", results)
    assert a.read_bytes() == b.read_bytes()


def test_nothing_has_the_final_name_before_the_end(tmp_path):
    sink = RecordWriter(tmp_path / "a.jsonl", header())
    sink.open()
    sink.write(result())
    assert not sink.path.exists()
    sink.abort()
    assert list(tmp_path.iterdir()) == []
    sink.abort()
    sink.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_cut_last_line_is_left_out_with_a_warning(tmp_path):
    path = write(tmp_path / "a.jsonl", [result(i) for i in range(3)])
    path.write_bytes(path.read_bytes()[:-40])
    _, records = read_records(path)
    with pytest.warns(UserWarning, match=r"a\.jsonl:4 is cut in the middle"):
        assert [r.frame for r in records] == [0, 1]


def test_a_bad_line_is_named(tmp_path):
    path = write(tmp_path / "a.jsonl", [result(i) for i in range(3)])
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1], "{}", lines[3]]) + "\n", "utf-8")
    _, records = read_records(path)
    next(records)
    with pytest.raises(SourceError, match=r"a\.jsonl:3 is not a record"):
        next(records)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line is not a header"),
        ("frame,x\n", "its first line is not a header"),
        ('{"a": 1}\n', "it is not a posetrack record file"),
        ('{"schema": "posetrack/9"}\n', "its schema is 'posetrack/9', this version reads"),
        ('{"schema": "posetrack/1"}\n', "its first line is not a header"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(SourceError, match=r"cannot read records .*" + message):
        read_records(tmp_path / "a.jsonl")


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(SourceNotFound, match="No such file or directory; check the path"):
        read_records(tmp_path / "a.jsonl")


def test_places_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"cannot write .*a\.jsonl: "):
        RecordWriter(tmp_path / "file" / "a.jsonl", header()).open()


def test_csv_has_a_line_for_each_keypoint(tmp_path):
    results = [result(0, 2), result(1, 0), result(2, 1)]
    sink = CsvWriter(tmp_path / "a.csv")
    sink.open()
    for one in results:
        sink.write(one)
    sink.finish()
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 17
    last = rows[-1]
    poses = results[2].tracks.poses
    assert (last["frame"], last["id"], last["keypoint"]) == ("2", str(10**10), "right_ankle")
    assert float(last["x"]) == pytest.approx(poses.keypoints[0, 16, 0], abs=0.0052)
    assert float(last["score"]) == pytest.approx(poses.scores[0, 16], abs=5.1e-5)
    assert float(last["raw_y"]) == pytest.approx(results[2].raw[0, 16, 1], abs=0.0052)
    assert float(last["box_y2"]) == pytest.approx(poses.boxes[0, 3], abs=0.0052)
    assert all(None not in row.values() for row in rows)
