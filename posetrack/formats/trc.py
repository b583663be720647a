"""TRC marker trajectories of one person, as OpenSim and Pose2Sim read them.

x right, y up from the lower edge of the picture, z towards the camera (0 without depth). In metres
with a scale, else pixels. A marker that was not found is nan: OpenSim
does not read a line that ends with empty cells.
"""

from __future__ import annotations

from pathlib import Path

from posetrack.formats.dense import Dense
from posetrack.formats.place import write_text
from posetrack.records import Recording

_FIELDS = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate",
    "OrigDataStartFrame", "OrigNumFrames",
)  # fmt: skip


def write(
    recording: Recording, track_id: int, path: Path, *, px_per_m: float | None = None
) -> None:
    """His frames from the first to the last; frame numbers count from 1."""
    one = Dense.of(recording, [track_id])
    points = one.upright(px_per_m)[:, 0]
    names, count = one.header.skeleton.keypoints, len(one)
    unit, digits = ("px", 2) if px_per_m is None else ("m", 5)
    rate = f"{one.rate_hz:.6g}"
    first = int(one.frames[0]) + 1
    known = (rate, rate, count, len(names), unit, rate, first, count)
    axes = [f"{axis}{index}" for index in range(1, len(names) + 1) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "\t".join(_FIELDS),
        "\t".join(map(str, known)),
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(axes),
        "",
    ]
    for frame, time_s, row in zip(
        one.frames.tolist(), one.times_s.tolist(), points.reshape(count, -1), strict=True
    ):
        cells = [f"{value:.{digits}f}" for value in row]
        lines.append("\t".join([str(frame + 1), f"{time_s:.6f}", *cells]))
    write_text(path, "\n".join(lines) + "\n")
