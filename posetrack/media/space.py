"""A frame's people in space, drawn in perspective and from three sides, as PNG, SVG or PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posetrack.errors import SourceError
from posetrack.media.palette import id_colour
from posetrack.records import Header, Record
from posetrack.types import Bools, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VIEWS = (
    ("from the camera", (0, 1), "x, m", "up, m"),
    ("from the side", (2, 1), "away, m", "up, m"),
    ("from above", (0, 2), "x, m", "away, m"),
)
"""Title, columns of (x, up, away) across and upward, names of the axes."""

_PERSON_M = 1.7
"""Without a camera: how tall somebody is taken to be."""
_PAPER = "#20242b"
"""Behind the figures, whose colours are made for pictures."""


def plot_space(header: Header, record: Record, path: Path, *, threshold: float = 0.3) -> None:
    """Draw the people of `record` into the file `path`, each in the colour of the id.

    In metres where the header has a camera; without one, each at a scale that makes the longer
    side of the own box 1.7 m, all roots at one depth.

    Args:
        threshold: keypoints of a lower score are left out.

    Raises:
        SourceError: the frame has no depths.
    """
    if record.depths is None or not len(record):
        raise SourceError(
            f"frame {record.frame} of {header.source} has nobody with depths: name a frame with "
            "people of a run with a 3D pose model"
        )
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    points = positions(header, record) * np.array([1, -1, 1], np.float32)  # up is up
    seen = record.scores >= threshold
    reach = _reach(points[seen])
    figure = Figure(figsize=(20, 6), layout="constrained")
    room = figure.add_subplot(1, 4, 1, projection="3d")
    for axis in (room.xaxis, room.yaxis, room.zaxis):
        axis.set_pane_color(_PAPER)
    room.view_init(12, -65)
    room.set(title="in space", xlabel="x, m", ylabel="away, m", zlabel="up, m")
    _draw(room, points[..., [0, 2, 1]], seen, header, record)
    room.set(xlim=reach[0], ylim=reach[2], zlim=reach[1])
    room.set_box_aspect(np.ptp(reach, axis=1)[[0, 2, 1]], zoom=0.85)
    for index, (title, columns, across, upward) in enumerate(VIEWS, 2):
        axes = figure.add_subplot(1, 4, index, facecolor=_PAPER)
        _draw(axes, points[..., list(columns)], seen, header, record)
        axes.set(title=title, xlabel=across, ylabel=upward, aspect="equal")
        axes.set(xlim=reach[columns[0]], ylim=reach[columns[1]])
        axes.grid(alpha=0.2)
    for axes in figure.axes:
        axes.locator_params(nbins=4)
    marks = [Line2D([], [], color=_colour(each), lw=3, label=f"id {each}") for each in record.ids]
    figure.legend(handles=marks, loc="outside lower center", ncols=12, frameon=False)
    figure.suptitle(f"{header.source}, frame {record.frame}, {record.pts_s:.2f} s")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def _draw(axes: Axes, points: Floats, seen: Bools, header: Header, record: Record) -> None:
    """People (N, K, 2 or 3) as limbs and points."""
    for row, number in enumerate(record.ids.tolist()):
        colour = _colour(number)
        for ends in header.skeleton.limbs:
            if seen[row, list(ends)].all():
                axes.plot(*points[row, list(ends)].T, color=colour, linewidth=1.8)
        axes.plot(*points[row, seen[row]].T, "o", color=colour, markersize=2)


def _colour(number: int) -> tuple[float, float, float]:
    """Red, green, blue of an id, from 0 to 1."""
    blue, green, red = id_colour(int(number))
    return red / 255, green / 255, blue / 255


def _reach(shown: Floats) -> Floats:
    """(3, 2) from where to where each axis goes: around all points, and 1.8 m at least."""
    if not len(shown):
        shown = np.zeros((1, 3), np.float32)
    low, high = shown.min(axis=0), shown.max(axis=0)
    half = np.maximum(0.55 * (high - low), 0.9)
    return np.stack([(low + high) / 2 - half, (low + high) / 2 + half], axis=1)


def positions(header: Header, record: Record) -> Floats:
    """(N, K, 3) metres, x right, y down, z away; from the camera where there is one."""
    assert record.depths is not None
    if header.camera is not None:
        return header.camera.positions(record.keypoints, record.depths)
    sides = (record.boxes[:, 2:] - record.boxes[:, :2]).max(axis=1)
    scale = (_PERSON_M / np.maximum(sides, 1))[:, None, None]
    return np.concatenate([record.keypoints * scale, record.depths[..., None]], axis=-1)
