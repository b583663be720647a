"""A run whose tracks are revised before anything is drawn: the file is read twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from posetrack.cli import outputs, session
from posetrack.errors import ConfigError
from posetrack.records import Header, Recording, RecordWriter
from posetrack.revision.relink import relink
from posetrack.revision.smooth import VISIBLE, smooth_offline
from posetrack.runner import RunSummary, replay

if TYPE_CHECKING:
    from posetrack.config import RevisionSettings, RunConfig
    from posetrack.media.painter import Painter
    from posetrack.media.sink import Sink
    from posetrack.media.source import Source
    from posetrack.perception import BoxesOf, Perception


def execute_revised(
    settings: RunConfig,
    source: Source,
    again: Callable[[], Source],
    perception: Perception,
    chosen: outputs.Places,
    header: Header,
    windows: Sequence[Sink],
    draw: Painter | None,
    boxes: BoxesOf | None,
    watch: session.Watch = session.watched,
    threads: int | None = None,
) -> RunSummary:
    """Track to the end, revise, then write and draw.

    What was found lies under its final name before the second reading begins.

    Args:
        again: opens the source a second time.
        windows: sinks that show the result besides those of `chosen`.
        watch: shows how far it is.
        threads: of the encoder.
    """
    if source.is_live:
        raise ConfigError(
            "--smooth offline and --relink need a file: a live source has no end to look back from"
        )
    with TemporaryDirectory(prefix="posetrack-") as scratch:
        lines = chosen.records or Path(scratch) / "found.jsonl"
        first = RecordWriter(lines, header, source=source.path)
        summary = session.execute(
            source,
            perception,
            [first],
            title=f"tracking {source.name}",
            draw=None,
            boxes=boxes,
            watch=watch,
        )
        if not summary.complete:
            return summary
        recording = Recording.read(lines)
    recording = revise(recording, settings.revision)
    summary = replace(summary, ids=len(recording.ids()))
    if chosen.picture is None and not chosen.saved and not windows:
        recording.write(lines)
        return summary
    second = again()
    size = session.output_size(settings, second)
    sinks = [*outputs.make_sinks(chosen, second, header, size=size, threads=threads), *windows]
    go = partial(replay, second, recording, sinks, draw=draw)
    drawn = watch(f"drawing {source.name}", second, go)
    stopped = summary.interrupted if drawn.interrupted is None else drawn.interrupted
    return replace(summary, interrupted=stopped, complete=drawn.complete)


def revise(recording: Recording, chosen: RevisionSettings) -> Recording:
    """Joined, then smoothed, as far as the settings want it."""
    if chosen.relink:
        recording, became = relink(recording, chosen.relink_gap_s)
        typer.echo(f"posetrack: relink: {joined(became)}", err=True)
    if chosen.smooth == "offline":
        recording = smooth_offline(
            recording,
            cutoff_hz=chosen.cutoff_hz,
            fill_gap_s=chosen.fill_gap_s,
            visible=visible_score(recording.header),
        )
    return recording


def visible_score(header: Header) -> float:
    """The score from which keypoints counted when the recording was made."""
    known = header.settings.get("tracker")
    found = known.get("keypoint_threshold") if isinstance(known, dict) else None
    return float(found) if isinstance(found, int | float) else VISIBLE


def joined(became: dict[int, int]) -> str:
    """What relinking did, in words."""
    if not became:
        return "nothing to join"
    pieces = "1 piece of a track" if len(became) == 1 else f"{len(became)} pieces of tracks"
    links = ", ".join(f"{old} -> {new}" for old, new in sorted(became.items())[:12])
    return f"joined {pieces}: {links}" + (", ..." if len(became) > 12 else "")
