"""Progress on stderr: a bar where somebody looks, start and end lines where not."""

from __future__ import annotations

import time
from collections.abc import Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import TaskID

    from posetrack.types import Result

REFRESH_HZ = 5.0


class _FrameRate(ProgressColumn):
    """Frames a second, as the bar measures it."""

    def render(self, task: Task) -> Text:
        """E.g. `48.1 fps`."""
        speed = task.finished_speed or task.speed
        return Text(
            "  -  fps" if speed is None else f"{speed:5.1f} fps", style="progress.data.speed"
        )


class FrameProgress:
    """The bar of a run: frames, fps, time left, people now in the picture.

    Where stderr is no terminal it says one line at the start and one at the end.
    """

    def __init__(self, title: str, total: int | None) -> None:
        self._console = Console(stderr=True)
        self._title, self._total = title, total
        self._people, self._frames, self._shown_at = 0, 0, 0.0
        self._task: TaskID | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _FrameRate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[people]} people"),
            console=self._console,
            refresh_per_second=REFRESH_HZ,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._total, people=0)
        return self

    def __call__(self, result: Result) -> None:
        """Count one frame; called by the output thread."""
        if not self._frames and self._task is None:
            total = "" if self._total is None else f", about {self._total} frames"
            self._say(f"{self._title}{total}")
        self._frames += 1
        self._people = len(result.tracks)
        now = time.perf_counter()
        # The bar is told a few times a second only: that costs the loop nothing.
        if self._task is not None and now - self._shown_at > 1 / REFRESH_HZ:
            self._shown_at = now
            self._bar.update(self._task, completed=self._frames, people=self._people)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._bar.stop()
        elif error is None:
            self._say(f"{self._frames} frames done")

    def _say(self, text: str) -> None:
        self._console.print(f"posetrack: {text}", highlight=False, markup=False, soft_wrap=True)


class VideoProgress:
    """The bar of a batch: videos done and failed, frames a second of all workers, time left.

    A video that fails gets a line; where stderr is no terminal, so does every other.
    """

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._total = total
        self._done, self._failed, self._frames = 0, 0, 0
        self._began = time.perf_counter()
        self._under_way: dict[Hashable, tuple[int, float]] = {}
        self._task: TaskID | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[fps]:5.1f} fps"),
            TimeRemainingColumn(),
            console=self._console,
            refresh_per_second=REFRESH_HZ,
            speed_estimate_period=600,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task(self._title(), total=self._total, fps=0.0)
        return self

    def advance(self, video: Hashable, frames: int, total: int | None) -> None:
        """Show that `frames` of the `total` of one video are done."""
        self._under_way[video] = frames, min(frames / total, 1.0) if total else 0.0
        self._update()

    def end(
        self, video: Hashable, name: str, frames: int, error: str | None, *, last: bool
    ) -> None:
        """Show that a video is over; not `last` where a failed one will be tried again."""
        self._under_way.pop(video, None)
        self._frames += frames
        if last and error is None:
            self._done += 1
        elif last:
            self._failed += 1
        if error is not None:
            self.say(f"{name}: {error}{'' if last else ' (will be tried again)'}")
        elif self._task is None:
            self.say(f"{name}: {frames} frames done ({self._title()})")
        self._update()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(f"posetrack: {text}", highlight=False, markup=False, soft_wrap=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._bar.stop()

    def _title(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done} of {self._total} videos done{failed}"

    def _update(self) -> None:
        if self._task is None:
            return
        frames = self._frames + sum(count for count, _ in self._under_way.values())
        shares = sum(share for _, share in self._under_way.values())
        self._bar.update(
            self._task,
            description=self._title(),
            completed=self._done + self._failed + shares,
            fps=frames / (time.perf_counter() - self._began),
        )


class Downloads:
    """A bar for each file that is fetched."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def update(self, name: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` bytes of a file are here."""
        if name not in self._tasks:
            self._bar.start()
            self._tasks[name] = self._bar.add_task(name, total=total)
        self._bar.update(self._tasks[name], completed=done, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._tasks:
            self._bar.stop()


class Steps:
    """A bar over a known number of steps; nothing where stderr is no terminal."""

    def __init__(self, title: str, total: int) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            refresh_per_second=REFRESH_HZ,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total)

    def __call__(self, done: int) -> None:
        """Show that `done` steps are done."""
        self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
