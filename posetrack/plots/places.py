"""Where people were: their paths, and how long somebody was at each place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from posetrack.plots import canvas
from posetrack.plots.canvas import Doubles
from posetrack.plots.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PATHS = 30
_CELLS = 96  # along the longer side
_BLUR = 1.5  # cells
_GAP_S = 0.5
_WIDE, _MARGIN = 9.0, 0.75  # inches


def paths(subject: Subject) -> Figure:
    """Everybody's way on the ground in the picture: a ring where it begins, a dot at its end."""
    from matplotlib.patheffects import Normal, Stroke

    people = canvas.most_seen(subject.frames_of(), MOST_PATHS)
    left_out = len(subject.frames_of()) - len(people)
    more = f"; {left_out} with fewer frames are left out" if left_out else ""
    made, axes = _picture(
        subject, "Paths", f"{subject.name}: where people stand{more}. Ring: begin, dot: end."
    )
    halo = [Stroke(linewidth=3, foreground=canvas.PAPER), Normal()]
    for track_id in people:
        times_s, feet = subject.places(track_id)
        feet = feet * subject.scale
        colour = canvas.id_ink(track_id)
        _, x = canvas.with_breaks(times_s, feet[:, 0], _GAP_S)
        _, y = canvas.with_breaks(times_s, feet[:, 1], _GAP_S)
        axes.plot(x, y, color=colour, alpha=0.9)
        axes.plot(*feet[0], "o", color=colour, markerfacecolor=canvas.PAPER, markersize=7)
        axes.plot(*feet[-1], "o", color=colour, markersize=7)
        axes.annotate(
            str(track_id), feet[-1], xytext=(6, 4), textcoords="offset points",
            color=colour, fontweight="bold", path_effects=halo,
        )  # fmt: skip
    return made


def heat_map(subject: Subject) -> Figure:
    """Seconds that somebody stood at each place of the picture."""
    from matplotlib.colors import PowerNorm

    made, axes = _picture(
        subject,
        "Where people were",
        f"{subject.name}: seconds somebody stood there, all people, a cell of "
        f"{_cell_px(subject) * subject.scale:.2g} {subject.unit}",
        aside=1.0,
    )
    seconds = dwell(subject)
    width, height = (side * subject.scale for side in subject.recording.header.size)
    image = axes.imshow(
        seconds,
        extent=(0, width, height, 0),
        cmap="Blues",
        norm=PowerNorm(0.5, vmin=0),  # a short stay is still to be seen beside a long one
        interpolation="bilinear",
    )
    made.colorbar(image, ax=axes, label="s a cell", shrink=0.8, pad=0.02)
    return made


def dwell(subject: Subject) -> Doubles:
    """(H', W') seconds of everybody together at each cell; their sum is the time people were there.

    A Gaussian of 1.5 cells spreads each sighting; what would fall outside the picture is kept at
    its edge.
    """
    from scipy.ndimage import gaussian_filter

    width, height = subject.recording.header.size
    cell = _cell_px(subject)
    shape = (max(round(height / cell), 1), max(round(width / cell), 1))
    seconds = np.zeros(shape)
    step_s = 1 / subject.recording.header.fps
    for track_id in subject.frames_of():
        _, feet = subject.places(track_id)
        column = np.clip(feet[:, 0] / cell, 0, shape[1] - 1).astype(int)
        row = np.clip(feet[:, 1] / cell, 0, shape[0] - 1).astype(int)
        np.add.at(seconds, (row, column), step_s)
    spread: Doubles = gaussian_filter(seconds, _BLUR, mode="reflect")
    return spread


def _cell_px(subject: Subject) -> float:
    """Side of a cell of the heat map."""
    return max(subject.recording.header.size) / _CELLS


def _picture(
    subject: Subject, title: str, subtitle: str, *, aside: float = 0.0
) -> tuple[Figure, Axes]:
    """Axes as large as the picture, `aside` inches kept for what stands beside them."""
    width, height = subject.recording.header.size
    inches = _WIDE if width >= height else _WIDE * max(width / height, 0.6)
    tall = (inches - _MARGIN - aside) * height / width + 1.35
    made, axes = canvas.figure(title, subtitle, (inches, tall))
    unit = subject.unit
    axes.set(
        xlim=(0, width * subject.scale),
        ylim=(height * subject.scale, 0),
        aspect="equal",
        xlabel=f"x, {unit}",
        ylabel=f"y, {unit} (down)",
    )
    axes.spines[["top", "right"]].set_visible(True)
    axes.set_facecolor("#FAFBFC")
    return made, axes
