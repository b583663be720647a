"""Who was there when: a bar for each id, with its gaps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from posetrack.plots import canvas
from posetrack.plots.subject import Subject
from posetrack.records import LOST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 40
Span = tuple[float, float]


def timeline(subject: Subject) -> Figure:
    """Bars where somebody was seen, lighter ones where he was predicted, thin lines over gaps."""
    counts = subject.frames_of()
    people = canvas.most_seen(counts, MOST)
    times_s = subject.recording.times_s
    left_out = len(counts) - len(people)
    more = f"; {left_out} with fewer frames are left out" if left_out else ""
    made, axes = canvas.figure(
        "Who was there when",
        f"{subject.name}: dark seen, light predicted, line out of sight{more}",
        (9, 1.7 + 0.3 * max(len(people), 2)),
    )
    order = sorted(people, key=lambda each: subject.places(each)[0][0])
    for row, track_id in enumerate(order):
        seen, lost = spans(subject, track_id)
        colour = canvas.id_ink(track_id)
        both = sorted(seen + lost)
        axes.plot((both[0][0], both[-1][1]), (row, row), color=colour, linewidth=0.8, zorder=1)
        for ranges, alpha in ((seen, 1.0), (lost, 0.35)):
            bars = [(begin, end - begin) for begin, end in ranges]
            face = _mixed(colour, alpha)
            axes.broken_barh(bars, (row - 0.32, 0.64), facecolors=face, zorder=2)
    axes.set_yticks(range(len(order)), [str(each) for each in order])
    axes.set(xlabel="s", ylabel="id")
    canvas.over_time(axes, times_s)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(max(len(order), 1) - 0.4, -0.6)
    return made


def spans(subject: Subject, track_id: int) -> tuple[list[Span], list[Span]]:
    """Seconds (begin, end) in which somebody was seen, and was predicted.

    A frame lasts until the next one that was looked at; the last, as long as the average.
    """
    recording = subject.recording
    rows = recording.track(track_id)
    at = np.searchsorted(recording.frames, rows.frame)
    ends = np.append(recording.times_s[1:], recording.times_s[-1] + 1 / recording.header.fps)
    lost = rows.states == LOST
    breaks = np.flatnonzero((np.diff(at) > 1) | (lost[1:] != lost[:-1])) + 1
    seen_spans: list[Span] = []
    lost_spans: list[Span] = []
    for begin, end in pairwise([0, *breaks.tolist(), len(at)]):
        span = float(recording.times_s[at[begin]]), float(ends[at[end - 1]])
        (lost_spans if lost[begin] else seen_spans).append(span)
    return seen_spans, lost_spans


def _mixed(colour: str, share: float) -> tuple[float, ...]:
    """`colour` on paper with that share of ink."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return tuple(share * c + 1 - share for c in (red, green, blue))
