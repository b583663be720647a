"""Damaged files are taken or refused in one line; benchmarks/daemon_fuzz.py tries more of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from damage import Readers
from revision.paths import line, recording, walker

from posetrack.cli.main import main
from posetrack.errors import ConfigError, SourceError
from posetrack.records import Recording
from posetrack.skeletons import load_skeleton

CASES = 25


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    return Readers(tmp_path_factory.mktemp("readers"))


@pytest.mark.parametrize(
    "kind",
    ["convert", "compare", "view", "tracks", "card", "model", "skeleton", "settings", "plot"],
)
def test_a_damaged_file_is_taken_or_refused(readers: Readers, kind: str) -> None:
    assert kind in readers.kinds
    for seed in range(4 if kind == "plot" else CASES):
        readers.try_one(kind, seed)


@pytest.mark.parametrize(
    ("where", "value", "reason"),
    [
        (("frame",), -1, "frame is no number from 0"),
        (("frame",), 0.5, "frame is float, not int"),
        (("frame",), True, "frame is no number"),
        (("pts_s",), float("nan"), "pts_s is no number"),
        (("pts_s",), "0", "pts_s is no number"),
        (("detector",), 1, "detector is int, not bool"),
        (("people",), {}, "people is dict, not list"),
        (("people", 0, "id"), 2**63, "id is no number"),
        (("people", 0, "id"), "1", "id is no number"),
        (("people", 0, "state"), "gone", "state is 'gone', not new, tracked or lost"),
        (("people", 0, "box", 2), float("inf"), "box holds a number that is none"),
        (("people", 0, "box", 2), 1e30, "box holds a number that is none"),
        (("people", 0, "box"), [1, 2, 3], "inhomogeneous"),
        (("people", 0, "keypoints", 3), [1, 2], "inhomogeneous"),
        (("people", 0, "keypoints", 3, 1), "1", "keypoints is not 17 x 3 number"),
        (("people", 1), {}, "'keypoints' is missing"),
        (("people", 1, "id"), 1, "an id is there twice"),
    ],
)
def test_a_record_that_makes_no_sense_is_named(
    tmp_path: Path, where: tuple[str | int, ...], value: object, reason: str
) -> None:
    lines = lines_of(tmp_path / "a.jsonl")
    record = json.loads(lines[1])
    at = record
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    (tmp_path / "a.jsonl").write_text("\n".join([lines[0], json.dumps(record), lines[2]]) + "\n")
    with pytest.raises(SourceError, match=r"a\.jsonl:2 is not a record: .*" + reason):
        Recording.read(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("fps", 0, "fps is no number"),
        ("fps", float("nan"), "fps is no number"),
        ("size", [640, -1], "size is no number from 1"),
        ("size", [640], "not enough values"),
        ("source", 3, "source is int, not str"),
        ("settings", [], "settings is list, not dict"),
        ("names", {"1": 3}, "names is int, not str"),
        ("camera", {"focal": [0, 1], "centre": [0, 0], "distance_m": 1}, "camera is no number"),
        ("skeleton", {"name": "a", "keypoints": "ab"}, "keypoints is str, not list"),
    ],
)
def test_a_header_that_makes_no_sense_is_named(
    tmp_path: Path, name: str, value: object, reason: str
) -> None:
    lines = lines_of(tmp_path / "a.jsonl")
    header = json.dumps(json.loads(lines[0]) | {name: value})
    (tmp_path / "a.jsonl").write_text("\n".join([header, *lines[1:]]) + "\n")
    with pytest.raises(SourceError, match="cannot read records .*" + reason):
        Recording.read(tmp_path / "a.jsonl")


def test_a_frame_that_is_there_twice_is_named(tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(SourceError, match="frame 0 is there twice"):
        Recording.read(tmp_path / "a.jsonl")


def test_one_wrong_frame_number_asks_for_no_endless_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of(tmp_path / "a.jsonl")
    last = json.dumps(json.loads(lines[-1]) | {"frame": 2**52})
    (tmp_path / "a.jsonl").write_text("\n".join([*lines[:-1], last]) + "\n")
    assert main(["convert", str(tmp_path / "a.jsonl"), "-t", "trc"]) == 2
    assert "of which 3 are there: is a number wrong?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("keypoints: [a, b]\nlimbs: [[0, x]]\n", "limbs, flip_pairs, upper and lower are indices"),
        ("keypoints: [a, b]\nlimbs: 3\n", "limbs, flip_pairs, upper and lower are indices"),
        ("keypoints: 3\n", "has no 'keypoints' list"),
        ("keypoints: [a\n", "not valid YAML"),
        ("keypoints: !!python/name:os.system x\n", "not valid YAML"),
    ],
)
def test_a_keypoint_set_that_makes_no_sense_is_named(
    tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_skeleton(str(tmp_path / "own.yaml"))


def lines_of(file: Path) -> list[str]:
    """Three frames of two people, written there."""
    frames = recording([walker(i, line(50 * i, 90), np.arange(3)) for i in (1, 2)], 3)
    frames.write(file)
    return file.read_text("utf-8").splitlines()
