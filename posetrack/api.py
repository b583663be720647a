"""`posetrack.track`: the results of a video or camera, one by one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetrack.backends import threads_ahead
from posetrack.perception import (
    EMBEDDED,
    AnyDetector,
    AnyEmbedder,
    AnyEstimator,
    BoxesOf,
    Perception,
)
from posetrack.runner import FrameSource, make_pipeline
from posetrack.schedule import Schedule, schedule_of
from posetrack.types import Result

if TYPE_CHECKING:
    from posetrack.tracking import TrackerSettings


def track(
    source: str | Path | int | FrameSource,
    *,
    det: str | Path | AnyDetector | None = EMBEDDED,
    pose: str | Path | AnyEstimator = EMBEDDED,
    reid: str | Path | AnyEmbedder | None = None,
    backend: str = "onnxruntime",
    device: str = "cpu",
    threads: int | None = None,
    precision: str = "auto",
    det_interval: int | Schedule = 5,
    max_people: int | None = None,
    tracker: TrackerSettings | str = "default",
    boxes: BoxesOf | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    stride: int = 1,
) -> Generator[Result, None, None]:
    """One `Result` a frame, in order, while capture, detection and poses go on in threads.

    Closing the generator early (or leaving a ``for`` loop and dropping it) ends the threads and
    frees the models. A live source drops frames that the loop is too slow for; a file does not.

    Args:
        source: path, folder, glob, camera index or address, or an opened source.
        det: as for `Perception`, like all up to `tracker`.
        pose: as for `Perception`.
        reid: as for `Perception`.
        backend: as for `Perception`.
        device: as for `Perception`.
        threads: as for `Perception`.
        precision: as for `Perception`.
        det_interval: the detector runs on every so many-th frame; or a schedule.
        max_people: as for `Perception`.
        tracker: as for `Perception`.
        boxes: people of a frame known from elsewhere, in place of the detector.
        start_s: where to begin in a file.
        duration_s: how much of a file to read.
        stride: take every n-th frame.

    Raises:
        SourceNotFound, SourceError, ModelError, ConfigError: at once.
        StageError: while iterating, the cause attached.
    """
    opened: Any = source
    schedule = schedule_of(det_interval)
    if isinstance(source, str | Path | int):
        from posetrack.media.source import open_source

        opened = open_source(str(source), start_s=start_s, duration_s=duration_s, stride=stride)
    elif not hasattr(source, "is_live"):
        raise TypeError(
            f"source is of {type(source).__name__}: give a path, an address, a camera's number or "
            "an opened source; for pictures of your own, posetrack.Perception takes one at a time"
        )
    ahead = not opened.is_live and schedule.interval > 1 and not schedule.needs_tracks
    try:
        perception = Perception(
            det=None if boxes is not None else det,
            pose=pose,
            reid=reid,
            backend=backend,
            device=device,
            threads=threads,
            detector_threads=threads_ahead(backend, threads) if ahead else threads,
            precision=precision,
            det_interval=schedule,
            max_people=max_people,
            tracker=tracker,
        )
    except BaseException:
        opened.close()
        raise
    if opened.is_live:
        perception.tracker.warm_up()
    return _results(opened, perception, boxes)


def _results(
    source: FrameSource, perception: Perception, boxes: BoxesOf | None
) -> Generator[Result, None, None]:
    with perception, closing(make_pipeline(source, perception, boxes=boxes).stream()) as results:
        yield from results
