from __future__ import annotations

import numpy as np

from posetrack.tracking import TrackerSettings, preset
from posetrack.tracking.propagation import LOST, SEEN, merge_proposals
from posetrack.types import Detections

SIZE = (640, 480)
BOX = (100, 100, 200, 300)


def tracked(*rows: tuple[tuple[float, ...], int, int]) -> tuple:  # type: ignore[type-arg]
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    ids, ranks = np.array([row[1] for row in rows], int), np.array([row[2] for row in rows], int)
    return boxes, np.ones(len(rows), np.float32), ids, ranks


def merged(found: Detections | None, *rows, settings: TrackerSettings | None = None):  # type: ignore[no-untyped-def]
    return merge_proposals(found, tracked(*rows), settings=settings or TrackerSettings(), size=SIZE)


def test_nobody_and_no_detector_is_no_box() -> None:
    assert len(merged(None)) == 0
    assert len(merged(Detections.empty())) == 0
    assert not merged(None).detector_ran
    assert merged(Detections.empty()).detector_ran


def test_a_seen_track_stands_before_a_detection_and_that_before_a_lost_one() -> None:
    found = Detections.from_boxes([BOX])
    assert merged(found, (BOX, 7, SEEN)).track_ids.tolist() == [7]
    assert merged(found, (BOX, 7, LOST)).track_ids.tolist() == [-1]
    apart = merged(found, ((300, 100, 350, 200), 1, LOST), ((400, 100, 450, 200), 2, SEEN))
    assert apart.track_ids.tolist() == [2, -1, 1]


def test_of_two_detections_the_larger_stays() -> None:
    found = Detections.from_boxes([(100, 100, 200, 280), BOX])
    np.testing.assert_array_equal(merged(found).boxes, [BOX])


def test_weak_small_and_foreign_detections_do_not_count() -> None:
    boxes = np.array([BOX, (300, 0, 310, 10), (400, 0, 500, 100), (0, 0, 90, 90)], np.float32)
    found = Detections(boxes, np.array([0.9, 0.9, 0.5, 0.9], np.float32), np.array([0, 0, 0, 2]))
    settings = TrackerSettings(detection_label=0, detection_threshold=0.5, detection_min_size_px=20)
    np.testing.assert_array_equal(merged(found, settings=settings).boxes, [BOX])


def test_whatever_class_the_detector_returns_counts_unless_one_is_named() -> None:
    boxes = np.array([BOX, (300, 0, 400, 100)], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8], np.float32), np.array([16, 17]))
    assert len(merged(found)) == 2
    only = TrackerSettings(detection_label=17)
    np.testing.assert_array_equal(merged(found, settings=only).boxes, boxes[1:])


def test_tracks_outside_the_image_or_too_small_cost_nothing() -> None:
    rows = [((700, 0, 800, 100), 1, SEEN), ((-50, 10, 0, 100), 2, LOST), ((5, 5, 9, 9), 3, SEEN)]
    assert merged(None, *rows).track_ids.tolist() == [3]
    assert len(merged(None, *rows, settings=TrackerSettings(track_min_size_px=10))) == 0


def test_the_largest_are_kept_where_the_number_is_limited() -> None:
    rows = [((i * 100, 0, i * 100 + 50 + i, 80), i, SEEN) for i in range(5)]
    found = Detections.from_boxes([(0, 200, 400, 480)])
    chosen = merged(found, *rows, settings=TrackerSettings(max_boxes=2))
    assert chosen.track_ids.tolist() == [4, 3]
    assert len(merged(found, *rows, settings=preset("mmdeploy"))) == 6


def test_a_detection_confirms_the_tracks_it_overlaps() -> None:
    found = Detections.from_boxes([BOX])
    proposals = merged(found, ((110, 100, 190, 160), 1, SEEN), ((400, 0, 500, 90), 2, SEEN))
    assert dict(zip(proposals.track_ids.tolist(), proposals.confirmed.tolist(), strict=True)) == {
        1: True,
        2: False,
        -1: True,
    }


def test_a_detection_that_fits_two_people_takes_neither_ones_place() -> None:
    rows = [((100, 100, 200, 300), 1, SEEN), ((120, 100, 220, 300), 2, SEEN)]
    between = merged(Detections.from_boxes([(111, 100, 211, 300)]), *rows)
    assert set(between.track_ids.tolist()) == {1, 2}
    assert not between.detected[between.track_ids > 0].any()
    near_one = merged(Detections.from_boxes([(98, 100, 198, 300)]), *rows)
    assert near_one.detected[near_one.track_ids == 1].all()
