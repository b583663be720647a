"""What the manifest keeps, and what it says is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from posetrack.batch.inputs import Video
from posetrack.batch.manifest import (
    Manifest,
    check_names,
    fingerprint,
    not_yet_done,
    read_manifests,
)
from posetrack.batch.unit import Outcome
from posetrack.errors import ConfigError

SETTINGS = "0123456789abcdef"


@pytest.fixture
def video(tmp_path: Path) -> Video:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"video")
    return Video(path, Path("x"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def done(out: Path, video: Video, *, error: str | None = None, shard: str | None = None) -> None:
    output = out / f"{video.name}.posetrack.jsonl"
    with Manifest(out, shard) as manifest:
        output.write_text("{}")
        outcome = Outcome(error, outputs=(str(output),), frames=7)
        manifest.add(video, outcome, settings=SETTINGS, attempt=1)


def left(out: Path, video: Video, settings: str = SETTINGS) -> list[Video]:
    return not_yet_done([video], read_manifests(out), out, settings=settings)


def test_what_was_done_is_left_out(out: Path, video: Video) -> None:
    assert left(out, video) == [video]
    done(out, video)
    assert left(out, video) == []


def test_other_settings_a_missing_output_or_another_file_are_to_be_done(
    out: Path, video: Video
) -> None:
    done(out, video)
    assert left(out, video, settings="f" * 16) == [video]
    (out / "x.posetrack.jsonl").unlink()
    assert left(out, video) == [video]
    done(out, video)
    video.path.write_bytes(b"VIDEO")
    os.utime(video.path, (1, 1))
    assert left(out, video) == [video]


def test_the_last_attempt_counts(out: Path, video: Video) -> None:
    done(out, video)
    done(out, video, error="it broke")
    assert left(out, video) == [video]
    done(out, video)
    assert left(out, video) == []


def test_a_line_that_a_crash_cut_off_costs_nothing_but_itself(out: Path, video: Video) -> None:
    done(out, video)
    path = out / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert left(out, video) == []
    done(out, video, error="it broke")
    assert [entry["status"] for entry in read_manifests(out)] == ["done", "failed"]


def test_shards_know_what_the_others_did(out: Path, video: Video) -> None:
    done(out, video, shard="3/7")
    assert (out / "manifest-3-of-7.jsonl").is_file()
    assert left(out, video) == []


def test_a_manifest_has_one_writer(out: Path) -> None:
    with Manifest(out), pytest.raises(ConfigError, match="another batch is writing"):
        Manifest(out)
    Manifest(out).close()


def test_outputs_of_another_video_are_not_replaced(out: Path, video: Video, tmp_path: Path) -> None:
    done(out, video)
    other = Video(tmp_path / "elsewhere" / "x.mp4", Path("x"))
    with pytest.raises(ConfigError, match=r"is of .*x.mp4, and .*elsewhere.*--root"):
        check_names([other], read_manifests(out), out)
    check_names([video], read_manifests(out), out)
    video.path.unlink()  # its videos have moved
    check_names([other], read_manifests(out), out)


def test_a_name_no_encoding_knows_is_kept(out: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(b"video")
    video = Video(path, Path(path.stem))
    with Manifest(out) as manifest:
        manifest.add(video, Outcome(), settings=SETTINGS, attempt=1)
    assert left(out, video) == []


def test_a_fingerprint_tells_settings_and_models_apart() -> None:
    prints = {fingerprint(s, d) for s in ("a", "b") for d in ([], ["1"], ["1", "2"], ["2", "1"])}
    assert len(prints) == 8
