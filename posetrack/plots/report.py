"""All figures of a recording, by name: as files, or as one page."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.kinematics.angles import angles_of
from posetrack.plots import canvas, joints
from posetrack.plots.places import heat_map, paths
from posetrack.plots.sheet import contact_sheet
from posetrack.plots.subject import Subject
from posetrack.plots.timeline import timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_ALL: dict[str, Callable[[Subject], Figure]] = {
    "paths": paths,
    "timeline": timeline,
    "heatmap": heat_map,
    "skeletons": contact_sheet,
}
OF_ONE: dict[str, Callable[[Subject, int], Figure | None]] = {
    "angles": joints.angles,
    "speeds": joints.speeds,
    "symmetry": joints.symmetry,
}
KINDS = (*OF_ALL, *OF_ONE)
PEOPLE = 4
"""So many people get figures of their own, those with most frames."""

_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em;
       color: #262626 }
svg { max-width: 100%; height: auto }
section { margin: 2.5em 0 }
td, th { padding: .15em 1em .15em 0; text-align: left; font-weight: normal }
th { color: #5a6169 }
"""


def figures(
    subject: Subject, kinds: Sequence[str], people: Sequence[int]
) -> Iterator[tuple[str, Figure]]:
    """Name (``paths``, ``angles.id3``) and figure of each kind, those of one person for each."""
    for kind in kinds:
        if kind in OF_ALL:
            yield kind, OF_ALL[kind](subject)
    for track_id in people:
        for kind in kinds:
            if kind in OF_ONE:
                made = OF_ONE[kind](subject, track_id)
                if made is not None:
                    yield f"{kind}.id{track_id}", made


def page(subject: Subject, drawn: Sequence[tuple[str, Figure]]) -> str:
    """One page of HTML with every figure in it, and what the angles are; nothing is fetched."""
    header = subject.recording.header
    name, people = html.escape(subject.name), canvas.listed(subject.recording.ids())
    facts = (
        f"{len(subject.recording.frames)} frames, {header.fps:.4g} a second",
        f"{header.size[0]} x {header.size[1]} px",
        f"keypoints {html.escape(header.skeleton.name)}",
        f"people {people}",
    )
    head = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{name}</title>"
    parts = [head, f"<style>{_CSS}</style>", f"<h1>{name}</h1>", f"<p>{'; '.join(facts)}.</p>"]
    for figure, made in drawn:
        svg = canvas.encoded(made, "svg").decode()
        parts.append(f"<section id='{figure}'>{svg[svg.index('<svg') :]}</section>")
    known = angles_of(header.skeleton)
    if known and any(figure.startswith(tuple(OF_ONE)) for figure, _ in drawn):
        rows = "".join(
            f"<tr><th>{a.name.replace('_', ' ')}<td>{html.escape(a.text)}" for a in known
        )
        parts.append(f"<section><h2>Angles</h2><table>{rows}</table></section>")
    return "\n".join(parts) + "</html>\n"


def write(
    subject: Subject,
    stem: Path,
    *,
    kinds: Sequence[str],
    formats: Sequence[str],
    people: Sequence[int],
    on_figure: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """The files written: ``STEM.NAME.png`` (``.svg``) and ``STEM.html``. Raises SinkError."""
    written, drawn = [], []
    for number, (name, made) in enumerate(figures(subject, kinds, people), 1):
        drawn.append((name, made))
        for kind in formats:
            if kind != "html":
                path = stem.with_name(f"{stem.name}.{name}.{kind}")
                canvas.save(made, path)
                written.append(path)
        on_figure(number)
    if "html" in formats:
        path = stem.with_name(f"{stem.name}.html")
        canvas.write(path, page(subject, drawn).encode())
        written.append(path)
    return written
