"""MOTChallenge text: ``frame, id, left, top, width, height, confidence, -1, -1, -1``.

Frames count from 1; the box is in pixels, as everywhere here (0 is the first pixel's centre).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.formats.place import write_text
from posetrack.geometry import xyxy_to_xywh
from posetrack.records import Recording


def write(recording: Recording, path: Path) -> None:
    """One line a person and frame, by frame and id."""
    rows = recording.rows
    boxes = np.round(xyxy_to_xywh(rows.boxes).astype(np.float64), 2).tolist()
    scores = np.round(rows.box_scores.astype(np.float64), 4).tolist()
    lines = [
        f"{frame + 1},{track_id},{','.join(map(str, box))},{score},-1,-1,-1\n"
        for frame, track_id, box, score in zip(
            rows.frame.tolist(), rows.ids.tolist(), boxes, scores, strict=True
        )
    ]
    write_text(path, "".join(lines))
