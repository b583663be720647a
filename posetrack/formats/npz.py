"""NumPy arrays of a whole recording, no pickles: ``numpy.load(path)``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.formats.dense import Dense
from posetrack.formats.place import part_of
from posetrack.records import Recording


def write(recording: Recording, path: Path) -> None:
    """``keypoints`` (F, P, K, 2), ``scores`` (F, P, K), ``boxes`` (F, P, 4), ``ids`` (P,), ..."""
    dense = Dense.of(recording)
    skeleton = dense.header.skeleton
    arrays = {
        "keypoints": dense.keypoints,
        "scores": dense.scores,
        "boxes": dense.boxes,
        "box_scores": dense.box_scores,
        "ids": np.array(dense.ids, np.int64),
        "frames": dense.frames,
        "times_s": dense.times_s,
        "fps": np.array(dense.rate_hz),
        "size": np.array(dense.header.size),
        "keypoint_names": np.array(skeleton.keypoints),
        "limbs": np.array(skeleton.limbs, np.int64).reshape(-1, 2),
        "header": np.array(dense.header.to_json()),
        "units": np.array("px, x right, y down; seconds"),
    }
    if dense.depths is not None:
        arrays["depths_m"] = dense.depths
    with part_of(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
