"""What is true of all formats: odd recordings, whole files or none, the same bytes again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from formats.people import FPS, recording

from posetrack.errors import ConfigError, SinkError
from posetrack.formats.conversion import Chosen, convert, default_path
from posetrack.formats.dense import Dense
from posetrack.formats.table import FORMATS
from posetrack.records import Recording

pytestmark = pytest.mark.filterwarnings("ignore")  # of the other tools' own

NAMES = [
    pytest.param(name, marks=() if not missing else pytest.mark.skip(f"needs {missing[0]}"))
    for name, known in FORMATS.items()
    for missing in [[package for package in known.needs if find_spec(package) is None]]
]


def part(rec: Recording, frames: slice) -> Recording:
    """Some of its frames."""
    kept = rec.frames[frames]
    rows = rec.rows[np.isin(rec.rows.frame, kept)]
    ran = rec.detector_ran[frames]
    return replace(rec, frames=kept, times_s=rec.times_s[frames], detector_ran=ran, rows=rows)


ODD = {
    "nobody": lambda: replace(recording(), rows=recording().rows[:0]),
    "one frame": lambda: part(recording(), slice(6, 7)),
    "every fifth frame": lambda: part(recording(), slice(0, None, 5)),
    "no frame": lambda: part(recording(), slice(0, 0)),
    "in space": lambda: recording("halpe26", depths=True),
    "133 keypoints": lambda: recording("coco_wholebody"),
}


@pytest.mark.parametrize("kind", list(ODD))
@pytest.mark.parametrize("name", NAMES)
def test_odd_recordings_are_written(tmp_path: Path, name: str, kind: str) -> None:
    rec = ODD[kind]()
    if (name, kind) == ("c3d", "no frame"):
        with pytest.raises(ConfigError, match="a C3D file cannot be empty"):
            convert(rec, name, tmp_path / "walk.c3d")
        return
    paths = convert(rec, name, default_path(tmp_path / "walk.jsonl", name))
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert len(paths) == (len(rec.ids()) if FORMATS[name].each else 1)


_DATED = ("rerun", "nwb", "c3d", "dlc")  # their libraries write times, or ids of their own


@pytest.mark.parametrize("name", [p for p in NAMES if p.values[0] not in _DATED])
def test_the_same_recording_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        convert(recording(), name, default_path(folder / "walk.jsonl", name))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        made.append([(path.relative_to(folder), path.read_bytes()) for path in files])
    assert made[0] == made[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SinkError, match="cannot write"):
        convert(recording(), name, tmp_path / "file" / "walk.x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", NAMES)
def test_an_older_output_is_replaced(tmp_path: Path, name: str) -> None:
    place = default_path(tmp_path / "walk.jsonl", name)
    convert(recording(), name, place)
    before = sorted(tmp_path.rglob("*"))
    convert(Chosen((2, 7), 0.6).of(recording(seed=3)), name, place)
    assert sorted(tmp_path.rglob("*")) == before


def test_every_format_has_its_own_file_name() -> None:
    places = [default_path(Path("walk.jsonl"), name) for name in FORMATS]
    assert len(set(places)) == len(places)


def test_no_package_of_a_format_is_imported_before_it_is_needed() -> None:
    packages = sorted({package for known in FORMATS.values() for package in known.needs})
    script = (
        "import sys, posetrack.cli.run, posetrack.cli.convert, posetrack.cli.outputs\n"
        f"print([name for name in {packages!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_skipped_frames_give_even_rows_at_the_true_rate() -> None:
    rec = part(recording(), slice(0, None, 5))
    rec = replace(rec, header=replace(rec.header, fps=FPS / 5))
    dense = Dense.of(rec)
    assert dense.frames.tolist() == list(range(0, 40, 5))
    assert dense.rate_hz == pytest.approx(FPS / 5)
    whole = Dense.of(rec, every_frame=True)
    assert whole.frames.tolist() == list(range(36))
    assert np.allclose(whole.times_s, np.arange(36) / FPS, atol=1e-6)
    assert np.isnan(whole.keypoints[1]).all()
    assert np.array_equal(whole.keypoints[::5], dense.keypoints, equal_nan=True)


def test_dropped_frames_are_rows_without_people() -> None:
    rec = recording()
    kept = np.delete(np.arange(40), [11, 12, 30])
    rec = part(rec, kept)
    dense = Dense.of(rec)
    assert len(dense) == 40
    assert not dense.present[[11, 12, 30]].any()
    assert dense.rate_hz == pytest.approx(FPS)
    assert np.allclose(dense.times_s, np.arange(40) / FPS, atol=1e-6)


def test_who_is_chosen_must_be_there() -> None:
    with pytest.raises(ConfigError, match="no track 5: known are 2, 7"):
        Chosen((2, 5)).of(recording())
