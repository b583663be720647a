"""`posetrack plot` and `posetrack compare`: files, names, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from formats.people import recording

Run = Callable[..., "Outcome"]  # noqa: F821


@pytest.fixture
def file(tmp_path: Path) -> Path:
    records = tmp_path / "walk.jsonl"
    recording("halpe26").write(records)
    return records


def test_chosen_figures_lie_beside_the_records(command: Run, file: Path, tmp_path: Path) -> None:
    done = command("plot", file, "--only", "timeline,symmetry", "--format", "svg")
    assert done.status == 0, done.err
    names = {path.name for path in tmp_path.glob("*.svg")}
    assert names == {"walk.timeline.svg", "walk.symmetry.id2.svg", "walk.symmetry.id7.svg"}
    for name in names:
        ET.parse(tmp_path / name)


def test_a_page_holds_everything_and_fetches_nothing(
    command: Run, file: Path, tmp_path: Path
) -> None:
    flags = ["--format", "html", "--only", "paths,angles", "--ids", "7", "--height", "1.7"]
    done = command("plot", file, "-o", tmp_path / "out", *flags)
    assert done.status == 0, done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["walk.html"]
    text = (tmp_path / "out" / "walk.html").read_text()
    assert text.count("<svg") == 2
    assert "knee flexion: thigh against shank, 0 straight" in text
    assert 'src="http' not in text
    assert "<script" not in text


def test_compare_prints_and_writes_both_tables(command: Run, file: Path, tmp_path: Path) -> None:
    command("tracks", "delete", file, 7, "-o", tmp_path / "less.jsonl")
    flags = ["--json", tmp_path / "c.json", "-o", tmp_path / "plots"]
    done = command("compare", file, "less.jsonl", *flags)
    assert done.status == 0, done.err
    assert "left_knee" in done.out
    assert "only in A: 7" in done.out
    assert json.loads((tmp_path / "c.json").read_text())["only_a"] == [7]
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {"differences.joints.png", "differences.time.png"}


def test_runs_of_one_name_are_told_apart_by_their_folders(command: Run, file: Path) -> None:
    again = file.parent / "again" / file.name
    again.parent.mkdir()
    again.write_bytes(file.read_bytes())
    done = command("compare", "walk.jsonl", "again/walk.jsonl", "--json", "c.json")
    assert done.out.splitlines()[:2] == ["A walk.jsonl", f"B {Path('again', 'walk.jsonl')}"]
    told = json.loads((file.parent / "c.json").read_text())
    assert (told["a"], told["b"]) == ("walk.jsonl", str(Path("again", "walk.jsonl")))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["plot", "walk.jsonl", "--only", "path"], "--only path: known are paths, timeline"),
        (["plot", "walk.jsonl", "--format", "pdf"], "--format pdf: known are png, svg, html"),
        (["plot", "walk.jsonl", "--ids", "9"], "no track 9: known are 2, 7"),
        (
            ["plot", "walk.jsonl", "-o", "walk.jsonl"],
            "--output walk.jsonl is a file: name a folder",
        ),
        (["compare", "walk.jsonl", "walk.jsonl", "-o", "walk.jsonl"], "is a file: name a folder"),
        (["plot", "no.jsonl"], "cannot read records no.jsonl"),
        (["compare", "walk.jsonl", "no.jsonl"], "cannot read records no.jsonl"),
        (["compare", "walk.jsonl", "walk.jsonl", "--format", "gif"], "--format gif: known are"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Run, file: Path, words: list[str], reason: str
) -> None:
    done = command(*words)
    assert done.status == (1 if "cannot read" in reason else 2)
    assert reason in done.err
    assert done.err.count("\n") == 1
