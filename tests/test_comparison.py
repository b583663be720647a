"""Two recordings: people are paired by place, differences are those that were made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from formats.people import FRAMES, recording

from posetrack.comparison import compare
from posetrack.errors import ConfigError
from posetrack.plots import canvas, differences
from posetrack.records import Recording


def renamed(rec: Recording, names: dict[int, int]) -> Recording:
    ids = np.array([names.get(each, each) for each in rec.rows.ids.tolist()])
    return replace(rec, rows=replace(rec.rows, ids=ids).ordered())


def shifted(rec: Recording, by: tuple[float, float], keypoint: int) -> Recording:
    keypoints = rec.rows.keypoints.copy()
    keypoints[:, keypoint] += by
    return replace(rec, rows=replace(rec.rows, keypoints=keypoints))


def test_a_recording_does_not_differ_from_itself() -> None:
    found = compare(recording(), recording())
    assert [pair.ids for pair in found.pairs] == [(2, 2), (7, 7)]
    assert found.as_dict()["all"]["max"] == 0
    assert found.alone == ((), ())
    assert found.frames == FRAMES


def test_people_are_paired_by_place_and_not_by_id() -> None:
    found = compare(recording(), renamed(recording(), {2: 7, 7: 2}))
    assert [pair.ids for pair in found.pairs] == [(2, 7), (7, 2)]
    assert found.as_dict()["all"]["max"] == 0


def test_somebody_only_one_has_is_named() -> None:
    rec = recording()
    alone = replace(rec, rows=rec.rows[rec.rows.ids == 7])
    found = compare(rec, alone)
    assert found.alone == ((2,), ())
    assert found.as_dict()["only_a"] == [2]


def test_a_shift_is_found_at_its_joint_and_in_its_direction() -> None:
    found = compare(recording(), shifted(recording(), (3, -4), 13))
    rows = {row["keypoint"]: row for row in found.rows()}
    knee = rows["left_knee"]
    assert knee["median"] == pytest.approx(5, abs=1e-3)
    assert (knee["dx"], knee["dy"]) == pytest.approx((3, -4), abs=1e-3)
    assert rows["right_knee"]["max"] == 0
    heights = np.concatenate([pair.heights for pair in found.pairs])
    assert knee["share"] == pytest.approx(np.median(5 / heights), rel=1e-3)


def test_what_one_of_them_lacks_is_counted_and_not_compared() -> None:
    rec = recording()
    scores = rec.rows.scores.copy()
    scores[rec.rows.ids == 2, 0] = 0.1
    found = compare(rec, replace(rec, rows=replace(rec.rows, scores=scores)), min_score=0.3)
    nose = next(row for row in found.rows() if row["keypoint"] == "nose")
    assert nose["compared"] == 23
    assert nose["only_a"] == pytest.approx(FRAMES / (FRAMES + 23), abs=1e-3)
    assert nose["only_b"] == 0


def test_runs_of_other_things_are_refused() -> None:
    with pytest.raises(ConfigError, match="A has the keypoints of coco, B those of halpe26"):
        compare(recording(), recording("halpe26"))
    rec = recording()
    other = replace(rec, header=replace(rec.header, size=(640, 480)))
    with pytest.raises(ConfigError, match="A is of 1280x720, B of 640x480"):
        compare(rec, other)
    late = replace(rec, frames=rec.frames + 100, rows=replace(rec.rows, frame=rec.rows.frame + 100))
    with pytest.raises(ConfigError, match="no frame in common"):
        compare(rec, late)


@pytest.mark.parametrize("draw", [differences.by_joint, differences.over_time])
def test_differences_are_drawn(draw) -> None:
    found = compare(recording(), shifted(recording(), (3, -4), 13))
    assert canvas.encoded(draw(found, "A and B"), "png")
    rec = recording()
    nobody = compare(replace(rec, rows=rec.rows[:0]), rec)
    assert draw(nobody, "A and B") is None
