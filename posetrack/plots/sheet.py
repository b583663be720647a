"""Skeletons of the people at moments over their time, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from posetrack.plots import canvas
from posetrack.plots.subject import Subject
from posetrack.records import Sightings
from posetrack.skeletons import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PEOPLE, MOMENTS = 8, 8
_LEAST_SEEN = 3
_SHAPE = 0.85  # width of a cell to its height


def contact_sheet(subject: Subject) -> Figure:
    """A row for each person, eight moments from his first to his last; blue left, orange right."""
    people = canvas.most_seen(subject.frames_of(), MOST_PEOPLE)
    left_out = len(subject.frames_of()) - len(people)
    more = f"; {left_out} with fewer frames are left out" if left_out else ""
    made, grid = canvas.figure(
        "Skeletons",
        f"{subject.name}: moments of each person; blue left, orange right{more}",
        (12, 0.9 + 1.85 * max(len(people), 1)),
        nrows=max(len(people), 1),
        ncols=MOMENTS,
        squeeze=False,
    )
    for axes in grid.ravel():
        axes.set_axis_off()
    skeleton = subject.recording.header.skeleton
    for cells, track_id in zip(grid, people, strict=False):
        rows = _seen(subject.recording.track(track_id))
        rows = rows[np.linspace(0, len(rows) - 1, min(MOMENTS, len(rows))).astype(int)]
        times_s, reach = subject.recording.times_of(rows), _reach(rows)
        for row, (axes, time_s) in enumerate(zip(cells, times_s, strict=False)):
            _draw(axes, skeleton, rows[row], reach)
            axes.set_title(f"{time_s:.2f} s", fontsize=8, fontweight="normal", loc="center")
        cells[0].text(
            0, 0.5, f"id {track_id}", transform=cells[0].transAxes, rotation=90, va="center",
            ha="right", fontweight="bold", color=canvas.id_ink(track_id),
        )  # fmt: skip
    return made


def _seen(rows: Sightings) -> Sightings:
    return rows[(rows.scores > 0).sum(axis=1) >= _LEAST_SEEN]


def _reach(rows: Sightings) -> float:
    """Px from the centre to the edge of a cell in which all of these have room."""
    centres = (rows.boxes[:, :2] + rows.boxes[:, 2:]) / 2
    away = np.abs(rows.keypoints - centres[:, None]) / (_SHAPE, 1)
    return 1.05 * float(away[rows.scores > 0].max(initial=1.0))


def _draw(axes: Axes, skeleton: Skeleton, one: Sightings, reach: float) -> None:
    """One skeleton, as far as `reach` px above and below his box's centre."""
    from matplotlib.collections import LineCollection

    points, found = one.keypoints[0], one.scores[0] > 0
    thin, sides = 1.0 if len(skeleton) > 40 else 1.8, skeleton.sides
    limbs = [(a, b) for a, b in skeleton.limbs if found[a] and found[b]]
    ends = [{sides[a], sides[b]} - {"middle"} for a, b in limbs]
    colours = [canvas.SIDES[each.pop() if len(each) == 1 else "middle"] for each in ends]
    lines = [points[[a, b]] for a, b in limbs]
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=thin, capstyle="round"))
    for side in ("left", "right", "middle"):
        these = found & np.array([each == side for each in sides])
        axes.plot(*points[these].T, ".", color=canvas.SIDES[side], markersize=2.5 * thin)
    centre = (one.boxes[0, :2] + one.boxes[0, 2:]) / 2
    axes.set(
        xlim=(centre[0] - reach * _SHAPE, centre[0] + reach * _SHAPE),
        ylim=(centre[1] + reach, centre[1] - reach),
        aspect="equal",
    )
