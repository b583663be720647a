"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from posetrack.pipeline import StageTimes
    from posetrack.runner import RunSummary


def wide_console() -> Console:
    """Stdout for tables of many columns: as wide as they need where it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def print_summary(summary: RunSummary, written: Sequence[Path]) -> None:
    """Frames, people, ids, fps and the times of each stage, on stdout."""
    console = Console(highlight=False, soft_wrap=True)
    totals = Table(box=None, pad_edge=False, show_header=False)
    totals.add_column()
    totals.add_column()
    detector = f", detector ran on {summary.detector_runs}" if summary.detector_runs else ""
    totals.add_row("frames", f"{summary.frames}{detector}")
    if summary.dropped:
        totals.add_row("dropped", str(summary.dropped))
    most = summary.people_max
    totals.add_row("people", f"{summary.people_mean:.1f} a frame, at most {most}")
    totals.add_row("ids", str(summary.ids))
    totals.add_row("fps", f"{summary.fps:.1f} ({summary.wall_s:.1f} s)")
    console.print(totals)
    console.print(stage_table(summary.stages))
    for path in written:
        console.print(f"wrote {path}", markup=False)


def stage_table(stages: Sequence[StageTimes]) -> Table:
    """Milliseconds a frame of each stage: at work, and waiting for its neighbours."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stage, ms")
    for column in ("busy p50", "p95", "p99", "waiting p50", "p95"):
        table.add_column(column, justify="right")
    for times in stages:
        busy, waiting = times.busy, times.waiting
        values = (busy.p50_ms, busy.p95_ms, busy.p99_ms, waiting.p50_ms, waiting.p95_ms)
        table.add_row(times.stage, *(f"{value:.1f}" for value in values))
    return table
