"""posetrack dataset: check, split and convert, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from training import drawn

Run = Callable[..., "Outcome"]  # noqa: F821


def spoil(path: Path) -> None:
    """The second person's box gets no width, the third a picture that is not there."""
    data = json.loads(path.read_text())
    data["annotations"][1]["bbox"][2] = 0
    data["annotations"][2]["image_id"] = 99
    path.write_text(json.dumps(data))


def test_check_of_a_sound_set_is_one_line(command: Run, tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 4)
    done = command("dataset", "check", "people.json")
    assert (done.status, done.err) == (0, "")
    assert done.out == "4 pictures, 4 annotations: 0 errors, 0 warnings\n"


def test_check_shows_findings_writes_them_and_fails(command: Run, tmp_path: Path) -> None:
    spoil(drawn.write_set(tmp_path, 4))
    done = command("dataset", "check", "people.json", "--json", "found.json")
    assert (done.status, done.err) == (1, "")
    assert "boxes without width or height (empty-box)" in done.out
    assert "001.png #1: 0 x " in done.out
    assert "#2: image_id 99" in done.out
    assert "4 annotations: 2 errors, 0 warnings" in done.out
    report = json.loads((tmp_path / "found.json").read_text())
    assert report["errors"] == 2
    assert {group["kind"]: group["count"] for group in report["findings"]} == {
        "empty-box": 1,
        "unknown-image": 1,
    }
    assert report["findings"][0]["items"][0]["annotation"] == 2


def test_check_draws_a_sheet_of_broken_sets_too(command: Run, tmp_path: Path) -> None:
    spoil(drawn.write_set(tmp_path, 10))
    done = command("dataset", "check", "people.json", "--sheet", "sheet.png", "--cells", 9)
    assert "wrote sheet.png" in done.out
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * 346, 8 * 240, 3)
    assert sheet[346 + 30 : 600, 30:200].std() > 10  # the ninth person is drawn
    assert command("dataset", "check", "people.json", "--sheet", "a.txt").status == 1


def test_check_says_what_it_cannot_read(command: Run, tmp_path: Path) -> None:
    done = command("dataset", "check", "gone.json")
    assert (done.status, done.err) == (
        2,
        "posetrack: no annotations at gone.json: check the path\n",
    )
    drawn.write_set(tmp_path, 1)
    done = command("dataset", "check", "people.json", "--skeleton", "coca")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "no skeleton named 'coca'" in done.err


def test_split_writes_parts_once(command: Run, tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 20)
    done = command("dataset", "split", "people.json", "--val", 0.2, "--test", 0.1, "-o", "parts")
    assert done.status == 0
    assert "wrote parts/val.json: 4 pictures, 4 annotations" in done.out
    names = {
        part: {i["file_name"] for i in json.loads(path.read_text())["images"]}
        for part in ("train", "val", "test")
        if (path := tmp_path / "parts" / f"{part}.json").exists()
    }
    assert sorted(n for part in names.values() for n in part) == [f"{i:03}.png" for i in range(20)]
    again = command("dataset", "split", "people.json", "-o", "parts")
    assert (again.status, again.err.count("\n")) == (1, 1)
    assert "train.json exists: name another output or add --force" in again.err
    assert command("dataset", "split", "people.json", "-o", "parts", "--force").status == 0


def test_split_never_overwrites_its_input(command: Run, tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 5, name="train")
    before = (tmp_path / "train.json").read_bytes()
    done = command("dataset", "split", "train.json", "--force")
    assert "output train.json is the input itself" in done.err
    assert (tmp_path / "train.json").read_bytes() == before
    assert not (tmp_path / "val.json").exists()


@pytest.mark.parametrize("kind", ["yolo", "labelme"])
def test_convert_takes_the_pictures_along(command: Run, tmp_path: Path, kind: str) -> None:
    drawn.write_set(tmp_path, 3)
    done = command("dataset", "convert", "people.json", "out", "--to", kind)
    assert (done.status, done.err) == (0, "")
    assert done.out == "wrote out: 3 pictures, 3 annotations\n"
    assert len(list((tmp_path / "out").rglob("*.png"))) == 3
    back = command("dataset", "convert", "out", "back.json")
    assert (back.status, back.out) == (0, "wrote back.json: 3 pictures, 3 annotations\n")
    done = command("dataset", "check", "back.json", "--images", "out")
    assert "0 errors, 0 warnings" in done.out


def test_convert_says_what_it_misses(command: Run, tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 1)
    done = command("dataset", "convert", "people.json", "out")
    assert (done.status, "say --to yolo" in done.err) == (2, True)
    (tmp_path / "people.tar").unlink()
    done = command("dataset", "convert", "people.json", "out", "--to", "labelme")
    assert (done.status, "no pictures found, none copied" in done.err) == (0, True)
    done = command("dataset", "convert", "people.json", "people.json", "--force")
    assert "is the input itself" in done.err


@pytest.mark.shared
def test_real_sets_have_no_errors_and_few_suspects(
    command: Run, shared_dir: Path, tmp_path: Path
) -> None:
    data = shared_dir / "data" / "pose" / "val.json"
    done = command("dataset", "check", data, "--json", "found.json")
    assert done.status == 0, done.out
    report = json.loads((tmp_path / "found.json").read_text())
    assert {group["kind"] for group in report["findings"]} <= {"suspect-pairs", "suspect-face"}
    assert 0 < report["warnings"] < 0.05 * report["people"]
