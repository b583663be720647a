"""Boxes that lie around a person as the detector drew them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracking.walkers import SIZE, Stage, Walker, detector, network, times, tracker_of

from posetrack.geometry import iou_matrix
from posetrack.tracking import TrackerSettings, preset
from posetrack.tracking.fit import fitted_boxes, measure_fit
from posetrack.types import Detections, Floats

EXTENTS = np.array([[100, 100, 150, 300], [0, 0, 40, 20]], np.float32)
BOXES = np.array([[90, 70, 160, 310], [0, -5, 50, 30]], np.float32)
PERSON = Walker((400, 360), (90, 0))


def test_a_fit_gives_its_boxes_back_and_moves_and_grows_with_the_keypoints() -> None:
    fits = measure_fit(EXTENTS, BOXES)
    np.testing.assert_allclose(fitted_boxes(EXTENTS, fits), BOXES, atol=1e-3)
    np.testing.assert_allclose(fitted_boxes(2 * EXTENTS + 7, fits), 2 * BOXES + 7, atol=1e-3)
    np.testing.assert_allclose(fitted_boxes(EXTENTS, np.zeros((2, 4))), EXTENTS)
    assert fitted_boxes(EXTENTS[:0], fits[:0]).shape == (0, 4)


def test_a_box_of_somebody_else_does_not_pull_the_fit_away() -> None:
    far = fitted_boxes(EXTENTS, measure_fit(EXTENTS, BOXES + 5000))
    shift = (far[:, :2] + far[:, 2:] - EXTENTS[:, :2] - EXTENTS[:, 2:]) / 2
    np.testing.assert_allclose(shift, (EXTENTS[:, 2:] - EXTENTS[:, :2]) / 2, rtol=1e-4)
    huge = fitted_boxes(EXTENTS[:1], measure_fit(EXTENTS[:1], np.float32([[0, 0, 999, 999]])))
    np.testing.assert_allclose(huge[0, 2:] - huge[0, :2], (100, 400), rtol=1e-5)


def overlap_between_detections(settings: TrackerSettings, drawn: float = 1.0) -> float:
    """Mean IoU of the shown box and the box the detector would draw, on frames without it."""
    stage = Stage([PERSON], tracker_of(settings), interval=5)
    overlaps = []
    for frame, t_s in enumerate(times(2)):
        found = _drawn(detector([PERSON], t_s), drawn)
        proposals = stage.tracker.propose(found if frame % 5 == 0 else None, t_s=t_s, size=SIZE)
        poses = network([PERSON], proposals.boxes, t_s, stage.rng)
        tracks, _ = stage.tracker.update(poses, proposals, t_s=t_s, size=SIZE)
        if frame % 5:
            overlaps.append(float(iou_matrix(tracks.poses.boxes, found.boxes)[0, 0]))
    return float(np.mean(overlaps))


def _drawn(found: Detections, scale: float) -> Detections:
    centre, half = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2, found.boxes[:, 2:]
    half = (half - centre) * scale
    boxes: Floats = np.concatenate([centre - half, centre + half], axis=1)
    return Detections.from_boxes(boxes)


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.25])
def test_between_detections_the_box_stays_as_the_detector_drew_it(scale: float) -> None:
    assert overlap_between_detections(TrackerSettings(), scale) > 0.93
    assert overlap_between_detections(preset("mmdeploy"), 0.9) < 0.8


def test_a_detection_takes_the_place_of_a_seen_tracks_box_and_keeps_its_id() -> None:
    stage = Stage([PERSON], tracker_of())
    stage.step(0.0)
    found = detector([PERSON], 1 / 30)
    proposals = stage.tracker.propose(found, t_s=1 / 30, size=SIZE)
    assert proposals.track_ids.tolist() == [1]
    assert proposals.detected.tolist() == [True]
    np.testing.assert_array_equal(proposals.boxes, found.boxes)


def test_a_weak_detection_starts_nobody_but_keeps_and_brings_back_who_is_known() -> None:
    weak = 0.4
    settings = TrackerSettings(birth_detection=0.5)

    def run(first: float) -> list[int]:
        tracker, shown = tracker_of(settings), []
        for frame, t_s in enumerate(times(1.5)):
            hidden = 0.4 < t_s < 0.9
            person = replace(PERSON, velocity=(0, 0), enter=9 if hidden else 0)
            found = detector([person], t_s)
            scores = np.full(len(found), first if frame == 0 else weak, np.float32)
            found = Detections(found.boxes, scores, found.labels)
            proposals = tracker.propose(found, t_s=t_s, size=SIZE)
            poses = network([person], proposals.boxes, t_s, np.random.default_rng(frame))
            poses = replace(poses, box_scores=proposals.scores)
            shown.append(tracker.update(poses, proposals, t_s=t_s, size=SIZE)[0].ids.tolist())
        return shown

    assert run(first=weak) == [[]] * 45
    strong = run(first=0.6)
    assert strong[5] == strong[-1] == [1]
    assert strong[20] == []
