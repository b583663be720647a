"""Generated scenes: the same at every call, and their truth says who can be seen."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from posetrack import synth
from posetrack.errors import ConfigError
from posetrack.evaluation.trackfiles import read_tracks
from posetrack.stage import Thing, Truth, populate, room
from posetrack.synth import SCENES, make_scene, pictures, times, write_scene


def truth_at(name: str, t: float, monkeypatch: pytest.MonkeyPatch) -> Truth:
    scene = make_scene(name)
    monkeypatch.setattr(synth, "times", lambda *_: [round(t * scene.fps)])
    ((_, truth),) = pictures(scene)
    return truth


def row(truth: Truth, number: int) -> int:
    return truth.ids.tolist().index(number)


@pytest.mark.parametrize("name", [name for name in SCENES if name != "crowd"])
def test_a_scene_is_the_same_at_every_call(name: str) -> None:
    scene = make_scene(name)
    one, two = (next(islice(pictures(scene), 1, 2)) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1].keypoints, two[1].keypoints)
    assert one[0].shape == (540, 960, 3)
    assert one[1].shown.max() > 0.9


def test_another_seed_has_other_clothes() -> None:
    one, two = (next(pictures(make_scene("pan", seed)))[0] for seed in (0, 1))
    assert (one != two).any()


def test_a_crowd_is_thirty_people() -> None:
    people = make_scene("crowd").cast(2.0)
    assert len({person.track_id for person in people}) == 30


def test_who_is_behind_a_pillar_is_hidden_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = truth_at("occlusion", 5.6, monkeypatch)
    behind, before = row(truth, 2), row(truth, 3)
    assert truth.shown[behind] < synth.HIDDEN < truth.shown[before]
    assert set(truth.visible[behind]) == {1}
    assert (truth.visible[before] == 2).sum() > 8


def test_who_left_comes_back_with_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 in truth_at("leaving", 0.0, monkeypatch).ids
    assert 1 not in truth_at("leaving", 4.5, monkeypatch).ids
    assert 1 in truth_at("leaving", 8.5, monkeypatch).ids


def test_an_arm_behind_the_own_body_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = truth_at("crossing", 0.4, monkeypatch)
    walker = row(truth, 3)  # goes to the right: the left arm is the far one
    left, right = truth.visible[walker, 5], truth.visible[walker, 6]
    assert {int(left), int(right)} == {1, 2}


def test_people_before_hide_people_behind() -> None:
    scene = make_scene("crossing")
    image = room(scene.size, scene.floor_y, np.random.default_rng(0))
    near, far = (one for one in scene.cast(4.0) if one.track_id in {2, 4})
    truth = populate(image, [far, near], floor_y=scene.floor_y)
    assert truth.shown[row(truth, 4)] == pytest.approx(1, abs=0.02)
    assert truth.shown[row(truth, 2)] < 0.9
    wall = Thing(480, 539, 960, 539)
    covered = populate(image, [far, near], floor_y=scene.floor_y, things=[wall])
    assert covered.shown.max() == 0


def test_lost_pictures_leave_gaps_in_time() -> None:
    gaps = np.diff(times(make_scene("drops")))
    assert gaps.max() > 2
    assert 0.5 < 1 / gaps.mean() < 0.7
    assert len(times(make_scene("low-rate"))) == 40


def test_the_files_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "times", lambda *_: [0, 1, 4, 5])
    clip, points, boxes = write_scene("leaving", tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {f"leaving.{s}" for s in ("json", "mp4", "txt")}
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
    assert [round(float(f.pts * f.time_base) * 25) for f in frames] == [0, 1, 4, 5]
    by_points, by_boxes = (read_tracks(path, truth=True) for path in (points, boxes))
    for index in range(4):
        a, b = by_points.at(index), by_boxes.at(index)
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=0.02)
    assert by_points.skeleton is not None
    assert by_points.skeleton.name == "coco"
    assert json.loads(points.read_text())["images"][2]["pts_s"] == 0.16


def test_a_misspelt_scene_is_named() -> None:
    with pytest.raises(ConfigError, match="no scene 'corssing': there are crossing, hugging"):
        make_scene("corssing")
