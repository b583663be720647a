from __future__ import annotations

import numpy as np
import pytest
from fakes import TWO_PEOPLE, FakeDetector, FakeEstimator, FakeSource, Person, draw_people

from posetrack import Detections, Frame, Perception
from posetrack.errors import ConfigError, ModelNotFound
from posetrack.tracking import TrackerSettings
from posetrack.types import Floats, Image


def perception(**options: object) -> Perception:
    options.setdefault("det", FakeDetector())
    options.setdefault("pose", FakeEstimator())
    return Perception(**options)  # type: ignore[arg-type]


def frames(count: int = 12) -> list[Frame]:
    return list(FakeSource(frames=count))


def test_people_keep_their_ids_and_the_keypoints_are_theirs() -> None:
    perceive = perception(det_interval=5)
    results = [perceive(frame) for frame in frames()]
    assert [r.tracks.ids.tolist() for r in results] == [[1, 2]] * 12
    for index, result in enumerate(results):
        wanted = np.stack([person.keypoints_at(index) for person in TWO_PEOPLE])
        order = np.argsort(result.raw[:, 0, 0])
        np.testing.assert_allclose(result.raw[order], wanted, atol=0.01)
        np.testing.assert_allclose(result.tracks.poses.keypoints, result.raw, atol=8)


@pytest.mark.parametrize(("interval", "ran"), [(1, 6), (2, 3), (5, 2), (100, 1), (0, 0), (-1, 0)])
def test_the_detector_runs_every_so_many_frames(interval: int, ran: int) -> None:
    perceive = perception(det_interval=interval)
    results = [perceive(frame) for frame in frames(6)]
    assert [r.detector_ran for r in results] == [
        interval > 0 and i % interval == 0 for i in range(6)
    ]
    assert perceive.detector_runs == perceive.detector.calls == ran  # type: ignore[union-attr]


def test_an_interval_that_is_neither_number_nor_schedule_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"det_interval is 'auto': give a whole number, or .*Need"
    ):
        perception(det_interval="auto")


def test_dropped_frames_do_not_change_the_rhythm() -> None:
    perceive = perception(det_interval=2)
    kept = [frame for frame in frames(12) if frame.index % 3 == 0]  # 0, 3, 6, 9
    assert [perceive(frame).detector_ran for frame in kept] == [True, False, True, False]


def test_detection_can_be_forced_or_forbidden_and_the_rhythm_goes_on() -> None:
    perceive = perception(det_interval=3)
    asked = [False, True, None, None, None, None, None]
    ran = [perceive(f, detect=d).detector_ran for f, d in zip(frames(7), asked, strict=True)]
    assert ran == [False, True, False, True, False, False, True]


def test_forcing_without_a_detector_is_an_error() -> None:
    perceive = perception(det=None)
    with pytest.raises(ConfigError, match="there is no detector: give det=, or boxes="):
        perceive(frames(1)[0], detect=True)


def test_given_boxes_need_no_detector() -> None:
    perceive = perception(det=None)
    boxes = [person.box for person in TWO_PEOPLE]
    first, *rest = [perceive(f, boxes=boxes if f.index == 0 else None) for f in frames(5)]
    assert not first.detector_ran
    assert all(r.tracks.ids.tolist() == [1, 2] for r in (first, *rest))


def test_no_boxes_given_is_nobody() -> None:
    perceive = perception(det=None)
    result = perceive(frames(1)[0], boxes=np.empty((0, 4)))
    assert len(result.tracks) == 0
    assert result.raw.shape == (0, 17, 2)


def test_an_empty_picture_is_an_empty_result_and_costs_no_pose() -> None:
    estimator = FakeEstimator()
    perceive = perception(pose=estimator)
    image = draw_people([], 0)
    assert len(perceive(image).tracks) == 0
    assert estimator.batches in ([], [0])


def test_all_people_go_through_the_pose_network_in_one_batch() -> None:
    estimator = FakeEstimator()
    perceive = perception(pose=estimator, det_interval=5)
    for frame in frames(3):
        perceive(frame)
    assert estimator.batches == [2, 2, 2]


def test_plain_images_get_even_times_or_the_given_ones() -> None:
    perceive = perception()
    images = [draw_people(TWO_PEOPLE, i) for i in range(3)]
    assert [perceive(image).frame.pts_s for image in images] == [0, 1 / 30, 2 / 30]
    assert perceive(images[0], 5.5).frame.pts_s == 5.5
    assert perceive(images[0]).frame.index == 4


def test_detect_and_track_are_the_two_halves_of_a_call() -> None:
    whole, halves = perception(det_interval=3), perception(det_interval=3)
    for frame in frames(7):
        a, b = whole(frame), halves.track(frame, halves.detect(frame))
        np.testing.assert_array_equal(a.tracks.poses.keypoints, b.tracks.poses.keypoints)
        assert a.tracks.ids.tolist() == b.tracks.ids.tolist()
        assert a.detector_ran == b.detector_ran


def test_not_run_and_nobody_are_different() -> None:
    perceive = perception(det_interval=2)
    empty = Frame(draw_people([], 0), 0, 0.0, 0.0)
    found = perceive.detect(empty)
    assert isinstance(found, Detections)
    assert len(found) == 0
    assert perceive.detect(empty) is None


def test_the_number_of_people_can_be_limited() -> None:
    perceive = perception(max_people=1)
    results = [perceive(frame) for frame in frames(4)]
    assert [len(r.tracks) for r in results] == [1] * 4


def test_thresholds_come_from_the_models_unless_they_are_set() -> None:
    settings = perception().tracker.settings
    assert (settings.keypoint_threshold, settings.detection_threshold) == (0.3, 0.5)
    chosen = TrackerSettings(keypoint_threshold=0.1, detection_threshold=0.7)
    settings = perception(tracker=chosen).tracker.settings
    assert (settings.keypoint_threshold, settings.detection_threshold) == (0.1, 0.7)


class Colour:
    """Embeds the colour in the middle of a box, by which the people of `fakes` differ."""

    similarity = 0.99

    def __call__(self, image: Image, boxes: Floats) -> Floats:
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int).T
        colours = image[y, x] - np.array([90, 255, 0], np.float32)
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)


@pytest.mark.parametrize(("reid", "ids"), [(None, [2, 1]), (Colour(), [1, 2])])
def test_a_re_identification_model_tells_people_who_were_out_of_sight_apart(
    reid: Colour | None, ids: list[int]
) -> None:
    here, there = (20, 30, 60, 130), (220, 40, 260, 140)
    scene = [Person(60, here, last=9), Person(120, there, last=9)]
    scene += [Person(120, here, first=20), Person(60, there, first=20)]
    # Without colours along the limbs, which would tell them apart as well.
    settings = TrackerSettings(likeness_weight=0.0)
    perceive = perception(reid=reid, tracker=settings)
    assert perceive.embedder is reid
    *_, last = [perceive(frame) for frame in FakeSource(scene, frames=22)]
    from_the_right = np.argsort(-last.raw[:, 0, 0])
    assert last.tracks.ids[from_the_right].tolist() == ids


def test_presets_are_known_by_name() -> None:
    assert perception(tracker="mmdeploy").tracker.settings.clock == "frames"
    with pytest.raises(ConfigError, match="no tracker preset 'best'"):
        perception(tracker="best")


def test_reset_begins_another_stream_with_new_ids() -> None:
    perceive = perception(det_interval=10)
    for frame in frames(3):
        perceive(frame)
    perceive.reset()
    result = perceive(frames(1)[0])
    assert result.detector_ran
    assert min(result.tracks.ids) > 2


def test_steps_are_timed() -> None:
    marks = perception()(frames(1)[0]).marks
    assert [mark.stage for mark in marks] == ["detect", "propose", "pose", "associate"]
    times = [t for mark in marks for t in (mark.begin, mark.end)]
    assert times == sorted(times)


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ModelNotFound, match=r"nothing\.onnx"):
        Perception(det="nothing.onnx", pose=FakeEstimator())


def test_other_settings_are_taken_while_people_are_followed() -> None:
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=5)
    frames = list(FakeSource(frames=20))
    before = [perception(frame) for frame in frames[:10]][-1]
    perception.retune(TrackerSettings(smoothing="none", max_boxes=1))
    after = [perception(frame) for frame in frames[10:]]
    assert all(set(result.tracks.ids) <= set(before.tracks.ids) for result in after)
    assert {len(result.tracks) for result in after} == {1}
    assert all((r.tracks.poses.keypoints == r.raw).all() for r in after)


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"clock": "frames"}, "clock"), ({"motion": "none"}, "motion"), ({"history": 9}, "history")],
)
def test_settings_the_memory_was_made_for_are_refused_and_change_nothing(
    settings: dict, name: str
) -> None:
    perception = Perception(det=FakeDetector(), pose=FakeEstimator())
    before = perception.tracker.settings
    with pytest.raises(ConfigError, match=f"{name} cannot change while people are followed"):
        perception.retune(TrackerSettings(**settings))
    assert perception.tracker.settings is before


def test_ids_can_go_on_from_those_of_another_tracker() -> None:
    perception = Perception(det=FakeDetector(), pose=FakeEstimator())
    perception.tracker.number_from(40)
    assert perception(next(iter(FakeSource()))).tracks.ids.tolist() == [40, 41]
    perception.tracker.number_from(3)
    assert perception.tracker.next_id == 42
