"""Which boxes the pose network sees in this frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from posetrack.geometry import box_area, greedy_nms, iou_matrix
from posetrack.tracking.association import pair
from posetrack.tracking.selection import most_wanted
from posetrack.tracking.settings import TrackerSettings
from posetrack.types import Bools, Detections, Floats, Ints, RowAligned

SEEN, DETECTED, LOST = 2, 1, 0
"""Ranks of boxes: a person seen in the last frame, a detection, a lost person's guess."""

_CLEAR = 0.1
"""IoU by which a detection must fit a track better than another one does to take its place: in a
crowd a person's own propagated box says better who it is than a detection that may be anybody's."""
_CONFIRMING_OVERLAP = 0.5  # of the smaller box: a detection confirms the half body it contains


@dataclass(frozen=True, slots=True, repr=False)
class Proposals(RowAligned):
    """Boxes for the pose network, in falling rank.

    Attributes:
        boxes: (N, 4) xyxy.
        scores: (N,) of the detection, or of the one a track last came from.
        track_ids: (N,) the track a box was propagated from, -1 from the detector.
        confirmed: (N,) whether a detection of this frame overlaps the box.
        detected: (N,) whether it is the box of a detection of this frame.
        detector_ran: whether there were detections to confirm anything.
    """

    boxes: Floats
    scores: Floats
    track_ids: Ints
    confirmed: Bools = field(default_factory=lambda: np.zeros(0, bool))
    detected: Bools = field(default_factory=lambda: np.zeros(0, bool))
    detector_ran: bool = False

    def __post_init__(self) -> None:
        for name in ("confirmed", "detected"):
            if len(getattr(self, name)) != len(self.boxes):
                object.__setattr__(self, name, np.asarray(self.track_ids < 0))

    def __len__(self) -> int:
        return len(self.boxes)


def usable_detections(detections: Detections, settings: TrackerSettings) -> Detections:
    """Those of the tracked class, if one is named, that are good and large enough."""
    use = np.ones(len(detections), np.bool_)
    if settings.detection_label is not None:
        use = detections.labels == settings.detection_label
    if settings.detection_threshold is not None:
        use &= detections.scores > settings.detection_threshold
    use &= box_area(detections.boxes) >= settings.detection_min_size_px**2
    return detections if use.all() else detections[use]


def merge_proposals(
    detections: Detections | None,
    tracked: tuple[Floats, Floats, Ints, Ints],
    *,
    settings: TrackerSettings,
    size: tuple[int, int],
    lost: Floats | None = None,
) -> Proposals:
    """Detections and propagated boxes, doubles removed, at most ``settings.max_boxes``
    by ``settings.select``.

    Args:
        detections: of this frame; None where the detector did not run.
        tracked: boxes (T, 4), scores (T,), ids (T,) and ranks (T,) `SEEN` or `LOST`.
        size: (width, height) of the image; boxes outside it are dropped.
        lost: (L, 4) where lost people should be, those whose box is not among `tracked` too.
    """
    boxes, scores, ids, ranks = tracked
    in_image = np.minimum(boxes[:, 2:], size) > np.maximum(boxes[:, :2], 0)
    areas = box_area(boxes)
    use = in_image.all(axis=1) & (areas > settings.track_min_size_px**2)
    if not use.all():
        boxes, scores, ids, ranks = boxes[use], scores[use], ids[use], ranks[use]
        areas = areas[use]
    confirmed, detected = np.ones(len(boxes), bool), np.zeros(len(boxes), bool)
    if detections is not None:
        found = usable_detections(detections, settings)
        confirmed = _confirmed(boxes, found.boxes)
        if settings.boxes == "fitted" and len(boxes) and len(found):
            boxes, scores, detected, found = _redetected(boxes, scores, ranks, found, settings)
            areas = box_area(boxes)
        found = _may_be_new(found, lost, settings)
        n = len(found)
        boxes = np.concatenate([boxes, found.boxes])
        scores = np.concatenate([scores, found.scores])
        ids = np.concatenate([ids, np.full(n, -1)])
        ranks = np.concatenate([ranks, np.full(n, DETECTED)])
        confirmed = np.concatenate([confirmed, np.ones(n, bool)])
        detected = np.concatenate([detected, np.ones(n, bool)])
        areas = np.concatenate([areas, box_area(found.boxes)])
    order = np.lexsort((-areas, -ranks))
    if len(order) > 1:
        boxes = boxes[order]
        iou = iou_matrix(boxes, boxes)
        if np.count_nonzero(iou >= settings.box_nms_iou) > len(order):
            keep = greedy_nms(-np.arange(len(order), dtype=float), iou, settings.box_nms_iou)
            order, boxes = order[keep], boxes[keep]
    if settings.max_boxes is not None:
        seen = ranks[order] == SEEN
        wanted = most_wanted(settings.select, boxes, seen, size, settings.max_boxes)
        order, boxes = order[wanted], boxes[wanted]
    rows = scores[order], ids[order], confirmed[order], detected[order]
    return Proposals(boxes, *rows, detections is not None)


def _redetected(
    boxes: Floats, scores: Floats, ranks: Ints, found: Detections, settings: TrackerSettings
) -> tuple[Floats, Floats, Bools, Detections]:
    """Seen tracks at the boxes and scores of their detections, which (T,), and what is left."""
    iou = np.where((ranks == SEEN)[:, None], iou_matrix(boxes, found.boxes), 0)
    rows, columns = pair(iou, settings.redetect_iou, "optimal")
    clear = _clear(iou, rows, columns)
    rows, columns = rows[clear], columns[clear]
    boxes, scores, detected = boxes.copy(), scores.copy(), np.zeros(len(boxes), bool)
    boxes[rows], scores[rows] = found.boxes[columns], found.scores[columns]
    detected[rows] = True
    left = np.ones(len(found), bool)
    left[columns] = False
    return boxes, scores, detected, found[left]


def _clear(iou: Floats, rows: Ints, columns: Ints) -> Bools:
    """(P,) pairs of which neither side fits another nearly as well."""
    best = iou[rows, columns]
    rest = iou.copy()
    rest[rows, columns] = 0
    rivals = np.maximum(rest[rows].max(axis=1, initial=0), rest[:, columns].max(axis=0, initial=0))
    return np.asarray(best - rivals >= _CLEAR)


def _may_be_new(found: Detections, lost: Floats | None, settings: TrackerSettings) -> Detections:
    """Detections strong enough for a new person, or where a lost one may be again."""
    if settings.birth_detection is None or not len(found):
        return found
    worth = found.scores >= settings.birth_detection
    if lost is not None and len(lost) and not worth.all():
        worth |= (iou_matrix(found.boxes, lost) >= settings.match_iou).any(axis=1)
    return found if worth.all() else found[worth]


def _confirmed(boxes: Floats, found: Floats) -> Bools:
    """(T,) boxes of which a detection covers, or is covered by, half or more."""
    if not len(boxes) or not len(found):
        return np.zeros(len(boxes), bool)
    iou = iou_matrix(boxes, found)
    a, b = box_area(boxes)[:, None], box_area(found)[None]
    overlap = iou / (1 + iou) * (a + b)
    return np.asarray((overlap >= _CONFIRMING_OVERLAP * np.minimum(a, b)).any(axis=1))
