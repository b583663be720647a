"""C3D markers: every person as a subject, points named ``id3:left_knee``.

x right, y up from the lower edge of the picture, z towards the camera; mm with a scale, else
pixels. What was not found has residual -1.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from posetrack.errors import ConfigError
from posetrack.formats.dense import Dense
from posetrack.formats.place import part_of
from posetrack.records import Recording

_MOST = 255
"""Labels a parameter holds; the rest goes into LABELS2, LABELS3, ..."""


def write(recording: Recording, path: Path, *, px_per_m: float | None = None) -> None:
    """All frames at one rate (the average of the recording).

    Raises:
        ConfigError: there is no frame.
    """
    import ezc3d

    dense = Dense.of(recording)
    if not len(dense):
        raise ConfigError("c3d: the recording has no frame, and a C3D file cannot be empty")
    points = dense.upright(px_per_m)  # (F, P, K, 3)
    if px_per_m is not None:
        points *= 1000
    flat = points.reshape(len(dense), math.prod(points.shape[1:3]), 3).transpose(
        2, 1, 0
    )  # (3, P * K, F)
    names = dense.header.skeleton.keypoints
    subjects = [f"id{each}" for each in dense.ids]
    made = ezc3d.c3d()
    made["header"]["points"]["frame_rate"] = dense.rate_hz
    point = made["parameters"]["POINT"]
    point["RATE"]["value"] = [dense.rate_hz]
    point["UNITS"]["value"] = ["px" if px_per_m is None else "mm"]
    labels = [f"{who}:{name}" for who in subjects for name in names]
    for begin in range(0, max(len(labels), 1), _MOST):
        number = "" if not begin else str(1 + begin // _MOST)
        made.add_parameter("POINT", f"LABELS{number}", labels[begin : begin + _MOST])
    made.add_parameter("POINT", "X_SCREEN", ["+X"])
    made.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    made.add_parameter("SUBJECTS", "USED", [len(subjects)])
    made.add_parameter("SUBJECTS", "NAMES", subjects)
    made.add_parameter("SUBJECTS", "LABEL_PREFIXES", [f"{who}:" for who in subjects])
    made.add_parameter("POSETRACK", "SOURCE", [dense.header.source])
    made.add_parameter("POSETRACK", "SKELETON", [dense.header.skeleton.name])
    made.add_parameter(
        "POSETRACK", "FIRST_TIME_S", [float(dense.times_s[0]) if len(dense) else 0.0]
    )
    made["data"]["points"] = np.concatenate([flat, np.ones_like(flat[:1])])
    missing = np.isnan(flat[:1])
    made["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, 0.0)
    with part_of(path) as part:
        whole = part.with_name(part.name + ".c3d")  # the library insists on its suffix
        made.write(str(whole))
        whole.replace(part)
