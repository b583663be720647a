"""A detector that nobody waits for: its answer is some frames old and carried to the present."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from posetrack.geometry import iou_matrix
from posetrack.perception import Perception
from posetrack.tracking.association import pair
from posetrack.types import Detections, Frame, Tracks

_SAME = 0.3  # IoU of a detection and a person who was followed in its frame


class LateDetector:
    """Asks the detector in a thread of its own, about the newest frame whenever it is free.

    Args:
        perception: whose detector it is, and whose people move on meanwhile.
    """

    def __init__(self, perception: Perception) -> None:
        self._perception = perception
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="detector")
        self._asked: tuple[Future[Detections], Tracks | None] | None = None

    def __call__(self, frame: Frame) -> Detections | None:
        """What the detector has answered since the last call, where that is now; None is nothing.

        Raises:
            Exception: what the detector raised.
        """
        answer = None
        due = self._perception.due(frame)
        if self._asked is not None and self._asked[0].done():
            found, then = self._asked[0].result(), self._asked[1]
            answer = carried(found, then, self._perception.known)
            self._asked = None
        if due and self._asked is None and self._perception.detector is not None:
            known = self._perception.known
            self._asked = self._worker.submit(self._perception.look, frame), known
        return answer

    def close(self) -> None:
        """Wait for an answer that is under way, and drop it."""
        self._worker.shutdown(cancel_futures=True)


def carried(found: Detections, then: Tracks | None, now: Tracks | None) -> Detections:
    """Detections of a past frame as far on as the people in them have moved since.

    Args:
        found: in the frame after `then`.
        then: who was where when the detector was asked.
        now: and who is where; those of whom nothing is known stay where they were found.
    """
    if then is None or now is None or not len(found) or not len(then):
        return found
    rows, columns = pair(iou_matrix(found.boxes, then.poses.boxes), _SAME, "optimal")
    boxes, ids = found.boxes.copy(), now.ids.tolist()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if (track_id := int(then.ids[column])) in ids:
            before, after = then.poses.boxes[column], now.poses.boxes[ids.index(track_id)]
            shift = (after[:2] + after[2:] - before[:2] - before[2:]) / 2
            boxes[row] += np.tile(shift, 2)
    return replace(found, boxes=boxes)
