"""What all figures share: size, letters, colours that stay apart for colour-blind eyes, files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posetrack.media.palette import id_colour
from posetrack.media.part import PartFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Doubles = npt.NDArray[np.float64]

SIDES = {"left": "#0072B2", "right": "#D55E00", "middle": "#4D4D4D"}
"""Okabe and Ito's blue and vermilion, and grey."""
PAIR = ("#009E73", "#CC79A7")
"""Green and purple of the same set, for two things that are no sides of a body."""
INK, FAINT, PAPER = "#262626", "#B8BEC4", "#FFFFFF"
SMALL: dict[str, Any] = {"fontsize": 8, "fontweight": "normal", "color": "#5A6169"}
_DARKER, _LIGHTEST = 0.75, 110
"""The colours of the video are for dark pictures: on paper they are darker, and none is lighter
than this luma (of 255)."""
_DPI = 150
_LETTERS_PER_INCH, _LINE_INCHES = 12, 0.23
"""Of subtitles, at their 10 points."""
_STYLE = {
    "font.size": 10.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E3E6E9",
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "posetrack",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def id_ink(track_id: int) -> str:
    """The colour of an identity on paper: that of the video, darker."""
    blue, green, red = id_colour(track_id)
    share = min(_DARKER, _LIGHTEST / (0.114 * blue + 0.587 * green + 0.299 * red))
    red, green, blue = (int(share * channel) for channel in (red, green, blue))
    return f"#{red:02X}{green:02X}{blue:02X}"


def figure(title: str, subtitle: str, size: tuple[float, float], **grid: Any) -> tuple[Figure, Any]:
    """An empty figure of `size` inches with its axes (as `plt.subplots` gives them).

    A subtitle that is longer than the figure is wide (names of files are) takes more lines, and
    the figure is as much taller.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lines = textwrap.wrap(subtitle, int(_LETTERS_PER_INCH * size[0])) or [""]
    tall = size[1] + _LINE_INCHES * (len(lines) - 1)
    with mpl.rc_context(_STYLE):
        made = Figure(figsize=(size[0], tall), facecolor=PAPER, layout="constrained")
        axes = made.subplots(**grid)
        below = "\n" * len(lines)
        made.suptitle(f"{title}{below}", x=0.01, ha="left", fontsize=14, fontweight="bold")
        for row, line in enumerate(lines):
            y = 1 - (0.42 + _LINE_INCHES * row) / tall
            made.text(0.01, y, line, ha="left", va="center", color="#5A6169")
    return made, axes


def head(axes: Axes, title: str, note: str = "") -> None:
    """The title of one panel, and in small letters what it shows."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_title(note, loc="right", **SMALL)


def encoded(made: Figure, kind: str) -> bytes:
    """The figure as ``png`` or ``svg``; the same figure gives the same bytes."""
    import matplotlib as mpl

    out = BytesIO()
    known = {"svg": {"Date": None, "Creator": "posetrack"}, "png": {"Software": "posetrack"}}
    with mpl.rc_context(_STYLE):
        made.savefig(out, format=kind, dpi=_DPI, metadata=known[kind])
    return out.getvalue()


def save(made: Figure, path: Path) -> None:
    """Write it as its suffix says. Raises SinkError."""
    write(path, encoded(made, path.suffix.lower().removeprefix(".")))


def write(path: Path, data: bytes) -> None:
    """A whole file, or none. Raises SinkError."""
    part = PartFile(path)
    try:
        part.write(data)
    except OSError as error:
        part.discard()
        raise part.failure(error) from error
    part.commit()


def over_time(axes: Axes, times_s: Doubles) -> None:
    """Seconds along the lower edge, the whole recording, and a grid."""
    axes.grid(visible=True)
    low, high = (float(times_s[0]), float(times_s[-1])) if len(times_s) else (0.0, 1.0)
    axes.set_xlim(low, max(high, low + 1e-3))


def with_breaks(times_s: Doubles, values: Doubles, longest_s: float) -> tuple[Doubles, Doubles]:
    """The curve with a NaN in every gap longer than `longest_s`, so that no line crosses it."""
    gaps = np.flatnonzero(np.diff(times_s) > longest_s) + 1
    middles = (times_s[gaps - 1] + times_s[gaps]) / 2
    return np.insert(times_s, gaps, middles), np.insert(values.astype(np.float64), gaps, np.nan)


def most_seen(counts: dict[int, int], most: int) -> list[int]:
    """The `most` ids with the highest counts, in rising order."""
    ranked = sorted(counts, key=lambda each: (-counts[each], each))
    return sorted(ranked[:most])


def listed(ids: Sequence[int]) -> str:
    """Ids in words."""
    shown = ", ".join(map(str, ids[:12]))
    return f"{shown}, ..." if len(ids) > 12 else shown
