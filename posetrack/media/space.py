"""A frame's people in space, drawn from two sides and from above as PNG, SVG or PDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.errors import BackendMissing, SourceError
from posetrack.media.palette import id_colour
from posetrack.records import Header, Record
from posetrack.types import Floats

VIEWS = (("from the camera", 8, -90), ("from the side", 8, -10), ("from above", 80, -90))
_PERSON_M = 1.7
"""Without a camera: how tall somebody is taken to be."""


def plot_space(header: Header, record: Record, path: Path, *, threshold: float = 0.3) -> None:
    """Draw the people of `record` into the file `path`.

    In metres where the header has a camera; without one, each at a scale that makes the longer
    side of the own box 1.7 m, all roots at one depth.

    Args:
        threshold: keypoints of a lower score are left out.

    Raises:
        SourceError: the frame has no depths. BackendMissing: matplotlib is not installed.
    """
    if record.depths is None or not len(record):
        raise SourceError(
            f"frame {record.frame} of {header.source} has nobody with depths: name a frame with "
            "people of a run with a 3D pose model"
        )
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BackendMissing("plots need matplotlib: pip install posetrack[train]") from error
    points = positions(header, record)
    figure = Figure(figsize=(15, 5.4))
    for index, (title, elevation, azimuth) in enumerate(VIEWS):
        axes = figure.add_subplot(1, len(VIEWS), index + 1, projection="3d")
        for row, number in enumerate(record.ids.tolist()):
            blue, green, red = id_colour(number)
            colour = (red / 255, green / 255, blue / 255)
            seen = record.scores[row] >= threshold
            across, down, away = points[row].T
            for a, b in header.skeleton.limbs:
                if seen[a] and seen[b]:
                    ends = [a, b]
                    axes.plot(across[ends], away[ends], -down[ends], color=colour, linewidth=1.8)
            axes.scatter(across[seen], away[seen], -down[seen], color=[colour], s=6)
            if index == 0:
                axes.text(across[0], away[0], -down.min(), str(number), color=colour)
        axes.view_init(elevation, azimuth)
        axes.set(title=title, xlabel="x, m", ylabel="away, m", zlabel="up, m")
        low, high = (f(points[record.scores >= threshold], axis=0) for f in (np.min, np.max))
        axes.set_box_aspect(np.maximum((high - low)[[0, 2, 1]], 0.3))
    figure.suptitle(f"{header.source}, frame {record.frame}, {record.pts_s:.2f} s")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def positions(header: Header, record: Record) -> Floats:
    """(N, K, 3) metres, x right, y down, z away; from the camera where there is one."""
    assert record.depths is not None
    if header.camera is not None:
        return header.camera.positions(record.keypoints, record.depths)
    sides = (record.boxes[:, 2:] - record.boxes[:, :2]).max(axis=1)
    scale = (_PERSON_M / np.maximum(sides, 1))[:, None, None]
    return np.concatenate([record.keypoints * scale, record.depths[..., None]], axis=-1)
