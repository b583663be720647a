"""`posetrack convert` and `--save`: names, choices, and that both write the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from formats.people import AT, recording

from posetrack.errors import ConfigError
from posetrack.formats.saving import Saving
from posetrack.formats.table import FORMATS

Run = Callable[..., "Outcome"]  # noqa: F821


@pytest.fixture
def file(tmp_path: Path) -> Path:
    records = tmp_path / "walk.jsonl"
    recording("halpe26").write(records)
    return records


def test_files_go_beside_the_records(command: Run, file: Path, tmp_path: Path) -> None:
    done = command("convert", file, "--to", "coco,trc,openpose")
    assert done.status == 0, done.err
    names = {path.name for path in tmp_path.iterdir()}
    wanted = {"walk.coco.json", "walk.id2.trc", "walk.id7.trc", "walk.openpose"}
    assert names == {"walk.jsonl"} | wanted
    assert done.out.count("wrote ") == 4


def test_people_and_scores_are_chosen(command: Run, file: Path, tmp_path: Path) -> None:
    flags = ["--ids", "7", "--min-score", "0.7", "--observed", "--raw"]
    done = command("convert", file, "--to", "npz", "-o", tmp_path / "a.npz", *flags)
    assert done.status == 0, done.err
    rows = recording("halpe26").track(7)
    with np.load(tmp_path / "a.npz") as data:
        assert data["ids"].tolist() == [7]
        seen = np.isfinite(data["keypoints"][AT[7], 0, :, 0])
        assert np.array_equal(seen, (rows.scores >= 0.7) & (rows.states != "lost")[:, None])
        first = data["keypoints"][5, 0][seen[0]]
        assert np.allclose(first, rows.raw[0][seen[0]], atol=0.01)


def test_a_height_gives_metres(command: Run, file: Path, tmp_path: Path) -> None:
    done = command("convert", file, "--to", "trc", "--ids", "2", "--height", "1.5")
    assert done.status == 0, done.err
    assert "px a metre" in done.err
    assert (tmp_path / "walk.id2.trc").read_text().splitlines()[2].split("\t")[4] == "m"


def test_the_list_names_every_format(command: Run) -> None:
    done = command("convert", "--list")
    assert done.status == 0
    assert all(name in done.out for name in FORMATS)


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["--to", "cocoo"], 2, "no format 'cocoo': did you mean coco or coco-video?"),
        (["--to", "coco", "--ids", "3"], 2, "no track 3: known are 2, 7"),
        (["--to", "coco", "--ids", "x"], 2, "--ids x: give numbers such as 1,3"),
        (["--to", "coco", "--px-per-m", "200"], 2, "format coco is in pixels: metres are for trc"),
        (["--to", "trc", "--height", "1.8"], 2, "--height is of one person, here are 2"),
        (["--to", "trc", "-o", "a.csv"], 2, "--output a.csv: trc files end with .trc"),
        (["--to", "trc,coco", "-o", "a.trc"], 2, "--output a.trc: several formats go into a"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Run, file: Path, words: list[str], status: int, reason: str
) -> None:
    done = command("convert", file, *words)
    assert done.status == status
    assert reason in done.err
    assert done.err.count("\n") == 1


def test_a_missing_package_names_the_extra(
    command: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posetrack.formats import conversion

    monkeypatch.setattr(conversion, "find_spec", lambda name: None)
    done = command("convert", file, "--to", "parquet")
    assert done.status == 2
    assert "needs the package pyarrow, which is not installed" in done.err
    assert "pip install 'posetrack[outputs]'" in done.err


SAVED = ("csv", "csv-wide", "coco", "openpose", "trc", "mot", "npz", "bvh", "mmpose", "cvat")


def test_what_a_run_saves_is_what_convert_writes(command: Run, models, tmp_path: Path) -> None:
    make_clip(tmp_path / "walk.mp4", frames=12)
    done = command("run", "walk.mp4", *models.flags, "--no-video", "--save", ",".join(SAVED))
    assert done.status == 0, done.err
    wrote = [line for line in done.out.splitlines() if line.startswith("wrote ")]
    assert len(wrote) == len(set(wrote)) == 1 + len(SAVED)
    assert "wrote walk.posetrack.id1.trc" in wrote
    again = tmp_path / "again"
    again.mkdir()
    done = command("convert", "walk.posetrack.jsonl", "--to", ",".join(SAVED), "-o", again)
    assert done.status == 0, done.err
    made = [path for path in again.rglob("*") if path.is_file()]
    assert len(made) == len(SAVED) - 1 + 12
    for path in made:
        assert path.read_bytes() == (tmp_path / path.relative_to(again)).read_bytes(), path.name


def test_a_revised_run_saves_what_was_revised(command: Run, models, tmp_path: Path) -> None:
    make_clip(tmp_path / "walk.mp4", frames=12)
    flags = ["--no-video", "--smooth", "offline", "--save", "coco"]
    assert command("run", "walk.mp4", *models.flags, *flags).status == 0
    lines = (tmp_path / "walk.posetrack.jsonl").read_text().splitlines()[1:]
    first = [person["keypoints"][0][:2] for line in lines for person in json.loads(line)["people"]]
    found = json.loads((tmp_path / "walk.posetrack.coco.json").read_text())
    assert [each["keypoints"][:2] for each in found] == first


def test_an_unknown_format_is_refused_before_the_run(command: Run, models, tmp_path: Path) -> None:
    make_clip(tmp_path / "walk.mp4", frames=2)
    done = command("run", "walk.mp4", *models.flags, "--save", "xml")
    assert done.status == 2
    assert "no format 'xml'" in done.err
    assert not list(tmp_path.glob("*.posetrack.*"))


def test_a_format_that_the_skeleton_does_not_fit_is_refused_before_the_first_frame(
    tmp_path: Path,
) -> None:
    places = {"coco": tmp_path / "a.coco.json", "bvh": tmp_path / "a.bvh"}
    sink = Saving(places, recording("lapa").header, [])
    with pytest.raises(ConfigError, match="bvh: the keypoint set lapa has no hips and shoulders"):
        sink.open()
    assert not list(tmp_path.iterdir())
