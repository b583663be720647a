"""One input tracked into its outputs: what `run` does once, and `batch` for each of many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from posetrack.cli import outputs, session
from posetrack.cli.revised import execute_revised

if TYPE_CHECKING:
    from posetrack.config import RunConfig
    from posetrack.media.sink import Sink
    from posetrack.media.source import Source
    from posetrack.perception import BoxesOf, Perception
    from posetrack.runner import RunSummary


def track_once(
    settings: RunConfig,
    spec: str,
    source: Source,
    perception: Perception,
    chosen: outputs.Places,
    *,
    boxes: BoxesOf | None = None,
    windows: Sequence[Sink] = (),
    watch: session.Watch = session.watched,
    threads: int | None = None,
) -> RunSummary:
    """What happened: `source` tracked, revised where the settings want it, and written.

    Args:
        settings: all of them; they stand in the records.
        spec: what `source` was opened from, for a second reading.
        source: closed at the end.
        perception: stays open.
        chosen: where the outputs go.
        boxes: people known from elsewhere, in place of the detector.
        windows: sinks besides those of `chosen`.
        watch: shows how far it is, and brings the signals.
        threads: of decoder and encoder; None is their own choice.
    """
    header = session.make_header(settings, source, perception)
    pictures = chosen.picture is not None or windows
    draw = session.make_painter(settings, perception.visible_score) if pictures else None
    windows = [*windows, *outputs.make_avatar(settings, source, perception)]
    if settings.revision.active:
        again = partial(session.open_input, settings, spec, threads=threads)
        return execute_revised(
            settings,
            source,
            again,
            perception,
            chosen,
            header,
            windows,
            draw,
            boxes,
            watch=watch,
            threads=threads,
        )
    size = session.output_size(settings, source)
    sinks = outputs.make_sinks(chosen, source, header, size=size, threads=threads)
    return session.execute(
        source,
        perception,
        [*sinks, *windows],
        title=source.name,
        draw=draw,
        boxes=boxes,
        late_detector=settings.detector.asynchronous,
        watch=watch,
    )
