"""Joint angles of one person as an OpenSim motion (``.mot``): coordinates in degrees over time.

Columns are the coordinates of OpenSim's full-body models (Rajagopal 2016): ``knee_angle_r``, ...;
angles are those of `posetrack.kinematics.angles`, in the picture's plane.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.errors import ConfigError
from posetrack.formats.dense import Dense, Doubles
from posetrack.formats.place import write_text
from posetrack.kinematics.angles import angles_of, measure
from posetrack.records import Recording


def write(recording: Recording, track_id: int, path: Path) -> None:
    """His angles in the frames in which he is seen.

    The format knows no missing values (OpenSim stops reading at the first): an angle that lacks a
    landmark in some frames is interpolated, one that is never seen has no column.

    Raises:
        ConfigError: the keypoint set has no joint with an angle.
    """
    one = Dense.of(recording, [track_id])
    skeleton = one.header.skeleton
    wanted = [angle for angle in angles_of(skeleton) if angle.coordinate is not None]
    if not wanted:
        raise ConfigError(
            f"opensim-mot: the keypoint set {skeleton.name} has no joint whose angle is known"
        )
    found = [measure(angle, skeleton, one.keypoints[:, 0], one.scores[:, 0]) for angle in wanted]
    pairs = [(a, values) for a, values in zip(wanted, found, strict=True) if _any(values)]
    wanted = [angle for angle, _ in pairs]
    columns = np.array([_filled(values, one.times_s) for _, values in pairs]).reshape(-1, len(one))
    seen = one.present[:, 0]
    lines = [
        "Coordinates",
        "version=1",
        f"nRows={int(seen.sum())}",
        f"nColumns={1 + len(wanted)}",
        "inDegrees=yes",
        "",
        f"{one.header.source}, track {track_id}, {one.rate_hz:.6g} frames a second.",
        "Angles in the plane of the picture.",
        *(f"{angle.coordinate}: {angle.text}." for angle in wanted),
        "",
        "endheader",
        "\t".join(["time", *(str(angle.coordinate) for angle in wanted)]),
    ]
    for time_s, row in zip(one.times_s[seen].tolist(), columns.T[seen], strict=True):
        lines.append("\t".join([f"{time_s:.6f}", *(f"{value:.4f}" for value in row)]))
    write_text(path, "\n".join(lines) + "\n")


def _any(values: Doubles) -> bool:
    return bool(np.isfinite(values).any())


def _filled(values: Doubles, times_s: Doubles) -> Doubles:
    """With the missing ones interpolated; before the first and after the last, as those."""
    known = np.isfinite(values)
    return np.interp(times_s, times_s[known], values[known])
