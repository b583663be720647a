from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from tracking.walkers import (
    COCO,
    SIZE,
    Stage,
    Walker,
    detector,
    ids_of,
    network,
    times,
    tracker_of,
    unique_ids,
)

from posetrack.errors import ConfigError
from posetrack.geometry import iou_matrix
from posetrack.skeletons import load_skeleton
from posetrack.tracking import PRESETS, Tracker, TrackerSettings, preset
from posetrack.types import Detections, Floats, Poses, Tracks

CROSSING = [Walker((200, 360), (220, 0), depth=1), Walker((1080, 370), (-220, 0), height=280)]
ALONE = Walker((200, 360), (150, 0))


def one_id_each(owners: list[dict[int, int]]) -> bool:
    return all(len(ids) == 1 for ids in unique_ids(owners).values())


@pytest.mark.parametrize("motion", ["constant_velocity", "kalman"])
@pytest.mark.parametrize("interval", [1, 5, 10])
def test_ids_last_when_two_walkers_cross(interval: int, motion: str) -> None:
    settings = TrackerSettings(keypoint_threshold=0.3, motion=motion)  # type: ignore[arg-type]
    owners = Stage(CROSSING, tracker_of(settings), interval).owners(times(4))
    assert one_id_each(owners)
    assert set(owners[-1]) == {0, 1}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_follows_people_between_detector_frames(name: str) -> None:
    people = [ALONE, Walker((1000, 300), (-60, 10), height=200)]
    owners = Stage(people, tracker_of(preset(name)), interval=10).owners(times(3))
    assert one_id_each(owners)
    assert all(len(frame) == 2 for frame in owners)


def test_boxes_between_detector_frames_come_from_the_last_keypoints() -> None:
    stage = Stage([ALONE], tracker_of(), interval=1000)
    assert stage.owners(times(1)) == [{0: 1}] * 30
    assert stage.proposals is not None
    assert stage.proposals.track_ids.tolist() == [1]


def test_the_id_of_who_leaves_is_not_given_to_who_comes() -> None:
    people = [replace(ALONE, velocity=(0, 0), leave=1), Walker((205, 360), enter=3)]
    owners = Stage(people, tracker_of()).owners(times(4))
    assert unique_ids(owners) == {0: {1}, 1: {2}}


def test_who_leaves_does_not_change_the_ids_of_who_stays() -> None:
    people = [replace(ALONE, velocity=(0, 0), leave=1), Walker((600, 360)), Walker((1000, 360))]
    owners = Stage(people, tracker_of(), interval=5).owners(times(2))
    assert owners[-1] == {1: owners[0][1], 2: owners[0][2]}


@pytest.mark.parametrize("motion", ["constant_velocity", "kalman"])
def test_who_is_hidden_for_a_moment_keeps_the_id(motion: str) -> None:
    settings = TrackerSettings(keypoint_threshold=0.3, motion=motion)  # type: ignore[arg-type]
    stage = Stage([replace(ALONE, velocity=(40, 0))], tracker_of(settings), interval=5)
    owners = stage.owners(times(1))
    stage.walkers = []
    assert stage.owners([1 + i / 30 for i in range(18)]) == [{}] * 18
    stage.walkers = [replace(ALONE, velocity=(40, 0))]
    owners += stage.owners([1.6 + i / 30 for i in range(30)])
    assert owners[-1] == {0: 1}
    assert one_id_each(owners)


@pytest.mark.parametrize(("gate_time_s", "known"), [(1.0, True), (None, False)])
def test_who_was_hidden_for_long_may_be_farther_from_where_he_should_be(
    gate_time_s: float | None, known: bool
) -> None:
    settings = TrackerSettings(keypoint_threshold=0.3, gate_time_s=gate_time_s)
    stage = Stage([replace(ALONE, velocity=(0, 0))], tracker_of(settings))
    stage.owners(times(1))
    stage.walkers = []
    stage.owners([1 + i / 30 for i in range(36)])
    stage.walkers = [replace(ALONE, velocity=(0, 0), start=(270, 360))]
    assert (stage.owners([2.2])[-1] == {0: 1}) is known


def test_a_box_whose_pose_is_all_at_once_elsewhere_shows_somebody_else() -> None:
    tracker = tracker_of()
    here, there = (Walker((600, y)).keypoints(0) for y in (360, 490))

    def shown(frame: int, keypoints: Floats, found: Detections | None) -> list[int]:
        t_s = frame / 30
        asked = tracker.propose(found, t_s=t_s, size=SIZE)
        everywhere = np.repeat(keypoints[None], len(asked), axis=0)
        scores = np.full((len(asked), 17), 0.9, np.float32)
        poses = Poses(everywhere, scores, asked.boxes, asked.scores, COCO)
        ids: list[int] = tracker.update(poses, asked, t_s=t_s, size=SIZE)[0].ids.tolist()
        return ids

    assert shown(0, here, Detections.from_boxes(Walker((600, 360)).box(0)[None])) == [1]
    assert shown(1, here, None) == [1]
    boxes = (Walker((600, y)).box(0)[None].astype(np.float32) for y in (360, 490))
    assert iou_matrix(*boxes)[0, 0] > TrackerSettings().match_iou
    assert shown(2, there, None) == []


def test_a_lost_person_stops_costing_pose_estimates() -> None:
    stage = Stage([replace(ALONE, leave=1)], tracker_of(), interval=1)
    stage.owners(times(1))
    counts = []
    for i in range(90):
        stage.owners([1.01 + i / 30])
        assert stage.proposals is not None
        counts.append(len(stage.proposals))
    assert counts[0] == 1
    assert sum(counts) <= 31
    assert counts[-1] == 0


def test_a_ghost_whose_keypoints_fade_is_gone_at_once() -> None:
    stage = Stage([replace(ALONE, leave=0.5)], tracker_of(), interval=100)
    assert len(stage.owners(times(0.5))[-1]) == 1
    assert stage.owners([0.53])[-1] == {}


def test_a_ghost_that_the_detector_never_confirms_is_lost() -> None:
    def seconds_shown(settings: TrackerSettings) -> float:
        tracker, shown = tracker_of(settings), 0
        person = replace(ALONE, velocity=(0, 0))
        for i, t in enumerate(times(8)):
            found = None if i % 5 else Detections.empty()
            found = detector([person], t) if i == 0 else found
            proposals = tracker.propose(found, t_s=t, size=SIZE)
            poses = network([person], proposals.boxes, t, np.random.default_rng(i))
            shown += len(tracker.update(poses, proposals, t_s=t, size=SIZE)[0])
        return shown / 30

    assert seconds_shown(TrackerSettings()) == pytest.approx(1.6, abs=0.3)
    assert seconds_shown(TrackerSettings(max_undetected_s=None)) == 8


def test_a_weak_pose_neither_begins_nor_revives_a_person() -> None:
    tracker = tracker_of()
    box = ALONE.box(0)[None]

    def show(score: float, t: float) -> int:
        proposals = tracker.propose(Detections.from_boxes(box), t_s=t, size=SIZE)
        assert len(proposals) == 1
        scores = np.full((1, 17), score)
        poses = Poses(ALONE.keypoints(0)[None], scores, proposals.boxes, np.ones(1), COCO)
        return len(tracker.update(poses, proposals, t_s=t, size=SIZE)[0])

    assert show(0.32, 0.0) == 0  # enough keypoints, but weak
    assert show(0.8, 0.1) == 1
    assert show(0.32, 0.2) == 1  # a person once seen may weaken
    assert show(0.1, 0.3) == 0
    assert show(0.32, 0.4) == 0
    assert show(0.8, 0.5) == 1


def test_a_person_is_shown_after_as_many_frames_as_asked() -> None:
    stage = Stage([ALONE], tracker_of(TrackerSettings(birth_frames=3)))
    assert [len(frame) for frame in stage.owners(times(0.2))] == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("name", PRESETS)
def test_two_detections_of_one_person_are_one_track(name: str) -> None:
    tracker = tracker_of(preset(name))
    box = ALONE.box(0)
    half = box.copy()
    half[3] = (box[1] + box[3]) / 2 + 40
    found = Detections.from_boxes([box, half])
    proposals = tracker.propose(found, t_s=0, size=SIZE)
    assert len(proposals) == 2
    poses = network([ALONE], proposals.boxes, 0, np.random.default_rng(0))
    tracks, _ = tracker.update(poses, proposals, t_s=0, size=SIZE)
    assert tracks.ids.tolist() == [1]


def test_a_box_that_shrank_to_the_face_is_widened_by_the_next_detection() -> None:
    tracker = tracker_of(TrackerSettings(boxes="keypoints"))
    person = replace(ALONE, velocity=(0, 0))

    def step(t: float, found: Detections | None, visible: slice) -> Tracks:
        proposals = tracker.propose(found, t_s=t, size=SIZE)
        scores = np.full((len(proposals), 17), 0.1)
        scores[proposals.track_ids < 0] = 0.9
        scores[:, visible] = 0.9
        points = np.repeat(person.keypoints(0)[None], len(proposals), 0)
        poses = Poses(points, scores, proposals.boxes, np.ones(len(points)), COCO)
        return tracker.update(poses, proposals, t_s=t, size=SIZE)[0]

    step(0.0, detector([person], 0), slice(None))
    step(0.1, None, slice(0, 5))
    assert step(0.2, None, slice(0, 5)).poses.boxes[0, 3] < 400
    wide = step(0.3, detector([person], 0), slice(0, 5))
    assert wide.ids.tolist() == [1]
    assert (wide.poses.scores[0] > 0.5).all()


def test_permuting_detections_permutes_nothing() -> None:
    people = [*CROSSING, Walker((640, 200), (0, 20), height=150)]
    plain = Stage(people, tracker_of(), interval=2)
    turned = Stage(people, tracker_of(), interval=2, reorder=lambda found: found[::-1])
    for t in times(3):
        (a, raw_a), (b, raw_b) = plain.step(t), turned.step(t)
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.poses.keypoints, b.poses.keypoints)
        np.testing.assert_array_equal(raw_a, raw_b)


def test_two_trackers_interleaved_equal_two_alone() -> None:
    def results(stages: list[Stage], turns: list[int]) -> list[bytes]:
        clock, out = times(2), []
        for turn in turns:
            stage = stages[turn]
            tracks, raw = stage.step(clock[stage.frame])
            out.append(tracks.poses.keypoints.tobytes() + raw.tobytes() + tracks.ids.tobytes())
        return out

    def stages() -> list[Stage]:
        return [Stage(CROSSING, tracker_of(), 3), Stage([ALONE], tracker_of(), 5, seed=1)]

    interleaved = results(stages(), [0, 1] * 60)
    apart = results(stages(), [0] * 60 + [1] * 60)
    assert interleaved[::2] + interleaved[1::2] == apart


@pytest.mark.parametrize("name", PRESETS)
def test_nobody_in_the_picture_is_a_result(name: str) -> None:
    stage = Stage([], tracker_of(preset(name)), interval=2)
    for t in times(0.5):
        tracks, raw = stage.step(t)
        assert len(tracks) == 0
        assert raw.shape == (0, 17, 2)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_and_leaves_no_trace(odd: float) -> None:
    stage, twin = Stage(CROSSING, tracker_of()), Stage(CROSSING, tracker_of())
    for t in times(0.5):
        tracker = stage.tracker
        with pytest.raises(ValueError, match=r"t_s is -?(nan|inf): give the media time"):
            tracker.propose(detector(CROSSING, t), t_s=odd, size=SIZE)
        with pytest.raises(ValueError, match="boxes must be finite"):
            tracker.propose(Detections.from_boxes([(0, 0, odd, 9)]), t_s=t, size=SIZE)
        proposals = tracker.propose(detector(CROSSING, t), t_s=t, size=SIZE)
        poses = network(CROSSING, proposals.boxes, t, np.random.default_rng(0))
        with pytest.raises(ValueError, match=r"t_s is -?(nan|inf): give the media time"):
            tracker.update(poses, proposals, t_s=odd, size=SIZE)
        with pytest.raises(ValueError, match="scores must be finite"):
            replace(poses, scores=np.where(poses.scores == poses.scores.max(), odd, poses.scores))
        np.testing.assert_array_equal(stage.step(t)[1], twin.step(t)[1])


def test_uneven_time_and_halved_frame_rate_keep_the_ids() -> None:
    rng = np.random.default_rng(0)
    uneven = np.cumsum(rng.choice([0.01, 0.03, 0.04, 0.12], 60)).tolist()
    for clock in (uneven, times(4, 60), times(4, 15), times(4, 10)):
        assert one_id_each(Stage([ALONE], tracker_of(), interval=3).owners(clock))


@pytest.mark.parametrize("fps", [15, 10])
def test_a_rate_that_drops_keeps_the_id_of_who_walks_at_a_constant_speed(fps: int) -> None:
    walker = Walker((60, 360), (450, 0), height=100)
    clock = times(1) + [1 + t for t in times(1, fps)]
    owners = Stage([walker], tracker_of(), interval=3).owners(clock)
    assert owners == [{0: 1}] * len(clock)


def test_time_that_stands_still_or_goes_back_loses_nobody() -> None:
    person = replace(ALONE, velocity=(0, 0))
    stage = Stage([person], tracker_of(), interval=1)
    owners = stage.owners([0.0, 0.0, 0.0, 1.0, 1.04, 0.0, 0.04, 0.04, 500.0, 500.04])
    assert owners == [{0: 1}] * 10
    tracks, _ = stage.step(500.08)
    assert np.isfinite(tracks.poses.keypoints).all()
    assert tracks.age_s[0] == pytest.approx(501, abs=2)


def test_a_lost_person_is_not_found_again_after_a_long_gap() -> None:
    person = replace(ALONE, velocity=(0, 0))
    stage = Stage([person], tracker_of())
    stage.owners(times(0.5))
    stage.walkers = []
    stage.owners([0.55])
    stage.walkers = [person]
    assert stage.owners([30.0]) == [{0: 2}]


@pytest.mark.parametrize("name", PRESETS)
def test_the_smoothed_pose_trembles_less_than_the_raw_and_hardly_lags(name: str) -> None:
    stage = Stage([ALONE], tracker_of(preset(name)))
    raw, smooth, truth = [], [], []
    for t in times(3):
        tracks, found = stage.step(t)
        raw.append(found[0])
        smooth.append(tracks.poses.keypoints[0])
        truth.append(ALONE.keypoints(t))

    def tremble(points: list[np.ndarray]) -> float:
        return float(np.abs(np.diff(points, 2, axis=0))[15:].mean())

    assert tremble(smooth) < (0.95 if name == "mmdeploy" else 0.75) * tremble(raw)
    assert np.abs(np.array(smooth) - truth)[15:].mean() < 0.03 * ALONE.height


def test_without_smoothing_what_is_shown_is_raw() -> None:
    stage = Stage([ALONE], tracker_of(TrackerSettings(smoothing="none")))
    for t in times(0.5):
        tracks, raw = stage.step(t)
        np.testing.assert_array_equal(tracks.poses.keypoints, raw)


@pytest.mark.parametrize("name", PRESETS)
def test_boxes_follow_people_of_every_size(name: str) -> None:
    for height in (40, 150, 500):
        person = replace(ALONE, height=height, velocity=(height, 0))
        stage = Stage([person], tracker_of(preset(name)), interval=5)
        for t in times(1):
            tracks, _ = stage.step(t)
        assert np.abs(tracks.poses.boxes[0] - person.box(t)).max() < 0.15 * height


def test_proposing_changes_nothing() -> None:
    a, b = (Stage(CROSSING, tracker_of(), 4) for _ in range(2))
    for t in times(1):
        for _ in range(3):
            b.tracker.propose(detector(CROSSING, t), t_s=t, size=SIZE)
        np.testing.assert_array_equal(a.step(t)[1], b.step(t)[1])


def test_results_are_not_changed_by_later_frames_nor_change_them() -> None:
    stage, twin = (Stage([ALONE], tracker_of(), 4) for _ in range(2))
    for t in times(0.5):
        tracks, raw = stage.step(t)
        kept = copy.deepcopy((tracks.poses.keypoints, raw))
        tracks.poses.keypoints[:] = tracks.ids[:] = raw[:] = 0
        np.testing.assert_array_equal(kept[0], twin.step(t)[0].poses.keypoints)


def test_a_new_start_forgets_people_but_uses_no_id_again() -> None:
    stage = Stage([ALONE], tracker_of())
    stage.owners(times(0.2))
    stage.tracker.reset()
    assert len(stage.tracker.propose(None, t_s=0, size=SIZE)) == 0
    assert ids_of(stage.owners(times(0.2))).tolist() == [2]


def test_the_last_results_of_a_person_are_kept_as_asked() -> None:
    stage = Stage([ALONE], tracker_of(TrackerSettings(history=3)))
    shown = [stage.step(t)[0] for t in times(0.3)]
    history = stage.tracker.history(1)
    assert [each.poses.keypoints.tolist() for each in history] == [
        each.poses.keypoints.tolist() for each in shown[-3:]
    ]
    assert sum(map(len, stage.tracker.history(99))) == 0


def test_depths_stay_with_their_person() -> None:
    tracker = tracker_of()
    people = [ALONE, Walker((900, 360))]
    proposals = tracker.propose(detector(people, 0), t_s=0, size=SIZE)
    poses = network(people, proposals.boxes, 0, np.random.default_rng(0))
    poses = replace(poses, depths=np.repeat([[1.0], [2.0]], 17, 1))
    tracks, raw = tracker.update(poses, proposals, t_s=0, size=SIZE)
    assert tracks.poses.depths is not None
    for depth, points in zip(tracks.poses.depths[:, 0], raw, strict=True):
        np.testing.assert_array_equal(poses.keypoints[int(depth) - 1], points)


def test_other_keypoint_sets_work() -> None:
    for name in ("coco_wholebody", "halpe26"):
        skeleton = load_skeleton(name)
        settings = TrackerSettings().resolved(keypoint_threshold=0.3)
        tracker = Tracker(settings, skeleton)
        proposals = tracker.propose(Detections.from_boxes([(0, 0, 90, 90)]), t_s=0, size=SIZE)
        points = np.random.default_rng(0).uniform(0, 90, (1, len(skeleton), 2))
        scores = np.full((1, len(skeleton)), 0.8)
        poses = Poses(points, scores, proposals.boxes, np.ones(1), skeleton)
        assert len(tracker.update(poses, proposals, t_s=0, size=SIZE)[0]) == 1


def test_a_tracker_says_what_it_lacks() -> None:
    with pytest.raises(ConfigError, match="keypoint_threshold is not known: set it"):
        Tracker(TrackerSettings(), COCO)
    with pytest.raises(ConfigError, match="keypoint_sigmas has 2 values but coco 17 keypoints"):
        tracker_of(TrackerSettings(keypoint_sigmas=(0.1, 0.2)))
    proposals = tracker_of().propose(Detections.from_boxes([(0, 0, 9, 9)]), t_s=0, size=SIZE)
    with pytest.raises(ValueError, match=r"1 proposals of .* need as many poses"):
        tracker_of().update(Poses.empty(COCO), proposals, t_s=0, size=SIZE)
