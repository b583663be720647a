"""One person's joints over time: angles, speeds, and left against right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from posetrack.formats.dense import Dense
from posetrack.kinematics import measures
from posetrack.kinematics.angles import Angle, angles_of, measure
from posetrack.plots import canvas
from posetrack.plots.canvas import SIDES, Doubles
from posetrack.plots.subject import Subject, landmark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP_S = 0.2
_MOVING = (
    ("Whole body (hip)", (("hip", "middle"),)),
    ("Hands", (("left_wrist", "left"), ("right_wrist", "right"))),
    ("Feet", (("left_ankle", "left"), ("right_ankle", "right"))),
)
_COLUMNS = 2


def angles(subject: Subject, track_id: int) -> Figure | None:
    """Every angle the keypoint set allows, both sides in one panel; None where there is none."""
    one = subject.person(track_id)
    groups = grouped(one)
    if not groups:
        return None
    rows = -(-len(groups) // _COLUMNS)
    made, grid = canvas.figure(
        f"Joint angles, person {track_id}",
        f"{subject.name}: in the plane of the picture; blue left, orange right",
        (10, 1.3 + 2.1 * rows),
        nrows=rows,
        ncols=_COLUMNS,
        squeeze=False,
        sharex=True,
    )
    cells = grid.ravel().tolist()
    for axes, (name, members) in zip(cells, groups.items(), strict=False):
        for angle in members:
            values = measure(angle, one.header.skeleton, one.keypoints[:, 0], one.scores[:, 0])
            _curve(axes, one, values, angle.side)
        canvas.head(axes, name.replace("_", " "), members[0].text)
        axes.set_ylabel("degrees")
        canvas.over_time(axes, one.times_s)
    _last_labels(cells, len(groups))
    return made


def grouped(one: Dense) -> dict[str, list[Angle]]:
    """Angles by their name without the side."""
    groups: dict[str, list[Angle]] = {}
    for angle in angles_of(one.header.skeleton):
        groups.setdefault(angle.name.removeprefix(f"{angle.side}_"), []).append(angle)
    return groups


def speeds(subject: Subject, track_id: int) -> Figure | None:
    """Speeds of hip, hands and feet; None where the keypoint set has none of them."""
    one = subject.person(track_id)
    found = [
        (title, [(name, side, landmark(one, name)) for name, side in members])
        for title, members in _MOVING
    ]
    shown = [
        (title, known)
        for title, members in found
        if (known := [each for each in members if np.isfinite(each[2]).any()])
    ]
    if not shown:
        return None
    made, grid = canvas.figure(
        f"Speeds, person {track_id}",
        f"{subject.name}: in the plane of the picture; blue left, orange right",
        (9, 1.3 + 1.9 * len(shown)),
        nrows=len(shown),
        squeeze=False,
        sharex=True,
    )
    for axes, (title, members) in zip(grid.ravel().tolist(), shown, strict=True):
        for _, side, points in members:
            speed = measures.speeds(points * subject.scale, one.times_s)
            _curve(axes, one, speed, side)
        canvas.head(axes, title)
        axes.set_ylabel(f"{subject.unit}/s")
        axes.set_ylim(bottom=0)
        canvas.over_time(axes, one.times_s)
    grid.ravel()[-1].set_xlabel("s")
    return made


def symmetry(subject: Subject, track_id: int) -> Figure | None:
    """Ranges of motion, left against right, with the symmetry index; None without pairs."""
    one = subject.person(track_id)
    rows = ranges(one)
    if not rows:
        return None
    made, axes = canvas.figure(
        f"Symmetry, person {track_id}",
        f"{subject.name}: range of motion (5th to 95th percentile); index: right above left, %",
        (9, 1.6 + 0.62 * len(rows)),
    )
    places = np.arange(len(rows))
    for offset, side, column in ((-0.19, "left", 1), (0.19, "right", 2)):
        values = [row[column] for row in rows]
        axes.barh(places + offset, values, height=0.34, color=SIDES[side], label=side)
    widest = max(max(left, right) for _, left, right in rows)
    for place, (_, left, right) in enumerate(rows):
        index = measures.symmetry_index(left, right)
        axes.text(max(left, right) + 0.015 * widest, place, f"{index:+.0f} %", va="center")
    axes.set_yticks(places, [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="degrees", xlim=(0, 1.14 * widest if widest else 1))
    axes.grid(visible=True, axis="x")
    axes.legend(loc="lower right", frameon=False)
    return made


def ranges(one: Dense) -> list[tuple[str, float, float]]:
    """Name and range of motion, left and right, of every joint with both sides seen."""
    rows = []
    for name, members in grouped(one).items():
        sides = {angle.side: angle for angle in members}
        if {"left", "right"} <= set(sides):
            skeleton, points, scores = one.header.skeleton, one.keypoints[:, 0], one.scores[:, 0]
            left, right = (
                measures.range_of_motion(measure(sides[side], skeleton, points, scores))
                for side in ("left", "right")
            )
            if np.isfinite(left) and np.isfinite(right):
                rows.append((name.replace("_", " "), left, right))
    return rows


def _curve(axes: Axes, one: Dense, values: Doubles, side: str) -> None:
    """A line that breaks where nothing was seen; single sights are dots."""
    times_s, shown = canvas.with_breaks(one.times_s, values, _GAP_S)
    axes.plot(times_s, shown, color=SIDES[side], label=side)
    known = np.isfinite(np.concatenate([[np.nan], shown, [np.nan]]))
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    axes.plot(times_s[alone], shown[alone], ".", color=SIDES[side], markersize=3)


def _last_labels(cells: list[Axes], used: int) -> None:
    """Seconds under the lowest panel of each column; panels without content go."""
    for axes in cells[used:]:
        axes.set_visible(False)
    for axes in cells[max(used - _COLUMNS, 0) : used]:
        axes.set_xlabel("s")
        axes.tick_params(labelbottom=True)
