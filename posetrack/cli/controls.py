"""The keys of the preview window, and what it writes into the picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from posetrack.errors import SinkError
from posetrack.media.mirror import mirrored
from posetrack.media.stills import ImageSink
from posetrack.media.window import QUIT_KEYS
from posetrack.schedule import Schedule
from posetrack.types import Image, Result

if TYPE_CHECKING:
    from posetrack.media.live import LiveSource
    from posetrack.media.painter import Painter
    from posetrack.media.recorder import Recorder
    from posetrack.media.source import Source

LONGEST_INTERVAL = 60


class LiveControls:
    """What a live run can be told while it goes on; see `posetrack.media.preview.Controls`.

    Args:
        source: what is read.
        schedule: its interval is what + and - change.
        painter: draws a result.
        recorder: what ``r`` switches.
        quit_: what ``q`` does.
        mirror: show, and draw, everything left to right.
        stride: every so many frames one is wanted.

    Attributes:
        paused: the window keeps its picture; the run goes on.
        drawing: whether people are drawn.
        dropped: frames that came and were not worked on.
    """

    def __init__(
        self,
        source: Source | LiveSource,
        schedule: Schedule,
        *,
        painter: Painter,
        recorder: Recorder,
        quit_: Callable[[], None],
        mirror: bool = False,
        stride: int = 1,
    ) -> None:
        self.paused, self.drawing, self.dropped = False, True, 0
        self._stride, self._drawn = stride, 0
        self._source, self._schedule, self._recorder = source, schedule, recorder
        self._painter, self._quit, self._mirror = painter, quit_, mirror

    def draw(self, result: Result) -> Image:
        """The picture of a result; called in the output thread."""
        self._drawn += 1
        self.dropped = result.frame.index // self._stride + 1 - self._drawn
        if self._mirror:
            result = mirrored(result)
        return self._painter(result) if self.drawing else self._painter.plain(result)

    def press(self, key: str, shown: tuple[Result, Image]) -> None:
        """Do what `key` stands for."""
        if key in QUIT_KEYS:
            self._quit()
        elif key == " ":
            self.paused = not self.paused
        elif key == "s":
            self._save(*shown)
        elif key == "r":
            self._recorder.switch()
        elif key == "d":
            self.drawing = not self.drawing
        elif key in ("+", "="):  # the plus of keyboards where it needs shift
            self._schedule.interval = min(self._schedule.interval + 1, LONGEST_INTERVAL)
        elif key == "-":
            self._schedule.interval = max(self._schedule.interval - 1, 1)

    def close(self) -> None:
        """The window was closed."""
        self._quit()

    def words(self) -> tuple[list[str], list[str]]:
        """What to write into the picture: notes, and alerts."""
        notes = [f"{self.dropped} dropped", f"det {self._schedule.interval}"]
        alerts = ["REC"] if self._recorder.recording else []
        if self.paused:
            alerts.append("paused")
        status = getattr(self._source, "status", None)
        if status is not None and status.state not in ("running", "ended"):
            alerts.append(f"{status.state} {time.perf_counter() - status.since:.0f} s")
        return notes, alerts

    def _save(self, result: Result, image: Image) -> None:
        path = Path(f"posetrack-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}"[:-3] + ".png")
        try:
            ImageSink(path, self._source).write(result, image)
        except SinkError as error:  # a full disk is no reason to end the show
            typer.echo(f"posetrack: {error}", err=True)
        else:
            typer.echo(f"posetrack: wrote {path}", err=True)
