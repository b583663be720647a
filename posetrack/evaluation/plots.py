"""Curves and bars of an evaluation as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from posetrack.evaluation.keypoints import Errors, per_keypoint
from posetrack.skeletons import Skeleton
from posetrack.types import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = (0, 5, 9)
"""Of the thresholds .50, .55, ... .95 those that are labelled."""

MOST_BARS = 40
BLUE, ORANGE, GREY = "#2f6db5", "#d9822b", "#9aa5b1"


def precision_recall(curves: Floats, path: Path, *, title: str, similarity: str) -> None:
    """Precision (10, 101) over recall at `similarity` .50 to .95; stronger lines are labelled."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5))
    axes = figure.add_subplot()
    recall = np.linspace(0, 1, curves.shape[1], dtype=np.float32)
    for index, curve in enumerate(curves):
        shade = 0.25 + 0.75 * index / (len(curves) - 1)
        label = f"{similarity} {0.5 + 0.05 * index:.2f}" if index in SHOWN else None
        width, colour = (2.2, BLUE) if label else (0.9, GREY)
        axes.plot(recall, curve, linewidth=width, color=colour, alpha=1.1 - shade, label=label)
        if label:
            _name_end(axes, recall, curve, label)
    axes.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="recall", ylabel="precision", title=title)
    axes.grid(alpha=0.3)
    _save(figure, path)


def keypoint_bars(errors: Errors, skeleton: Skeleton, path: Path, *, title: str) -> None:
    """Median and p90 error of each keypoint, and its share within 0.1 of the box's longer side.

    Sets of more than 40 keypoints show the 40 with the lowest share.
    """
    from matplotlib.figure import Figure

    rows = [
        (name, row)
        for name, row in zip(skeleton.keypoints, per_keypoint(errors), strict=True)
        if row["annotated"]
    ]
    if len(rows) > MOST_BARS:
        rows = sorted(rows, key=lambda pair: pair[1]["pck@0.1"])[:MOST_BARS]
    places = np.arange(len(rows))
    figure = Figure(figsize=(9, 1.6 + 0.26 * len(rows)))
    left, right = figure.subplots(1, 2, sharey=True)
    for key, colour, label in (("p90", GREY, "90 %"), ("median", BLUE, "median")):
        values = [min(row[key], 1.0) for _, row in rows]
        left.barh(places, values, color=colour, label=label, height=0.7)
    left.set(xlabel="error, share of the box's longer side", xlim=(0, None))
    left.set_yticks(places, [f"{name} ({row['annotated']:.0f})" for name, row in rows])
    left.invert_yaxis()
    left.legend(loc="upper right")
    right.barh(places, [100 * row["pck@0.1"] for _, row in rows], color=ORANGE, height=0.7)
    right.set(xlabel="PCK@0.1, %", xlim=(0, 100))
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    figure.suptitle(title)
    _save(figure, path)


def _name_end(axes: Any, recall: Floats, curve: Floats, label: str) -> None:
    """Write the label where the curve has come down to half its height."""
    high = np.flatnonzero(curve >= curve.max() / 2)
    at = int(high[-1]) if len(high) and curve.max() > 0 else 0
    axes.annotate(label, (recall[at], curve[at]), textcoords="offset points", xytext=(4, 4))


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
