"""Two runs of a video: how far apart their keypoints are, by joint and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from posetrack.comparison import Comparison
from posetrack.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS, MOST_PEOPLE = 40, 6
_GAP_S = 0.5


def by_joint(found: Comparison, title: str) -> Figure | None:
    """Bars of the median distance of each keypoint with whiskers to the 95th percentile.

    Sets of more than 40 keypoints show the 40 with the largest median. None where nobody is in
    both.
    """
    rows = found.rows()
    if len(rows) > MOST_BARS:
        rows = sorted(rows, key=lambda row: -row["median"])[:MOST_BARS]
    if not rows:
        return None
    made, (left, right) = canvas.figure(
        "Differences by joint",
        f"{title}: B against A; in both: {len(found.pairs)}",
        (10, 1.5 + 0.3 * len(rows)),
        ncols=2,
        sharey=True,
    )
    places = np.arange(len(rows))
    medians = np.array([row["median"] for row in rows])
    tops = np.array([row["p95"] for row in rows])
    left.barh(places, medians, height=0.66, color=canvas.SIDES["middle"])
    left.hlines(places, medians, tops, color=canvas.INK, linewidth=1)
    left.plot(tops, places, "|", color=canvas.INK, markersize=7)
    canvas.head(left, "Distance", "bar: median, line to the 95th percentile")
    left.set_yticks(places, [row["keypoint"] for row in rows])
    left.invert_yaxis()
    left.set(xlabel="px", xlim=(0, None))
    for offset, key, colour in ((-0.17, "dx", canvas.PAIR[0]), (0.17, "dy", canvas.PAIR[1])):
        values = [row[key] for row in rows]
        label = "to the right" if key == "dx" else "down"
        right.barh(places + offset, values, height=0.32, color=colour, label=label)
    right.axvline(0, color=canvas.INK, linewidth=0.8)
    canvas.head(right, "Mean shift", "B less A")
    right.set_xlabel("px")
    right.legend(loc="best", frameon=False)
    for axes in (left, right):
        axes.grid(visible=True, axis="x")
    return made


def over_time(found: Comparison, title: str) -> Figure | None:
    """The median distance over a person's keypoints in each frame; None where nobody is in both."""
    order = sorted(found.pairs, key=lambda pair: -len(pair.frames))[:MOST_PEOPLE]
    if not order:
        return None
    pairs = sorted(order, key=lambda pair: pair.ids)
    left_out = len(found.pairs) - len(pairs)
    more = f"; {left_out} people with fewer frames are left out" if left_out else ""
    made, grid = canvas.figure(
        "Differences over time",
        f"{title}: median over the keypoints of a frame{more}",
        (9, 1.2 + 1.5 * len(pairs)),
        nrows=len(pairs),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axes, pair in zip(grid.ravel().tolist(), pairs, strict=True):
        distances = pair.distances
        some = np.isfinite(distances).any(axis=1)
        medians = np.full(len(distances), np.nan)
        medians[some] = np.nanmedian(distances[some], axis=1)
        times_s, shown = canvas.with_breaks(pair.times_s, medians, _GAP_S)
        axes.plot(times_s, shown, color=canvas.id_ink(pair.ids[0]))
        canvas.head(
            axes, f"id {pair.ids[0]} in A, {pair.ids[1]} in B", f"{len(pair.frames)} frames"
        )
        axes.set_ylabel("px")
        axes.grid(visible=True)
        axes.set_ylim(bottom=0)
    grid.ravel()[-1].set_xlabel("s")
    return made
