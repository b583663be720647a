"""Speed of `posetrack batch` with one and more workers, against a shell loop of `posetrack run`.

    python benchmarks/batch.py --data PATH

Twelve clips are cut from the reference videos. In each round every way of doing them takes its
turn: one `posetrack run` after the other, and ``posetrack batch -j N`` for each N. All write the
annotated videos and the records, and must write the same records, byte for byte. Wall time is that
of whole processes, imports and model loading included. A round counts as gated if `probe.py` found
both cores whole before and after each of its parts. Memory is the peak of what the processes of a
batch hold, pages that they share divided among them (Linux only).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import report
from pipeline import make_clip
from probe import Gate

Row = dict[str, Any]
SOURCES = (
    "juggle/juggle.mp4",
    "TUD-Stadtmitte/TUD-Stadtmitte.mp4",
    "TUD-Campus/TUD-Campus.mp4",
    "bedroom/bedroom.mp4",
    "exercise/exercise.avi",
    "openpose_video/openpose_video.avi",
)
WIDTHS = (384, 640)
RUN = [sys.executable, "-m", "posetrack"]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="batch.json")
    parser.add_argument("--frames", type=int, default=100, help="length of each clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    gate = Gate()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = make_clips(chosen.data / "video", folder / "in", chosen.frames)
        ways = {"run, one by one": one_by_one(clips, folder / "loop")}
        for jobs in chosen.jobs:
            out = folder / f"batch{jobs}"
            batch = ["batch", str(folder / "in"), "-o", str(out), "-j", str(jobs)]
            ways[f"batch -j {jobs}"] = [[*RUN, *batch]]
        rounds: list[Row] = []
        figures = {"clips": len(clips), "frames": chosen.frames * len(clips), "rounds": rounds}
        for number in range(chosen.rounds):
            print(f"round {number + 1}", file=sys.stderr, flush=True)
            rounds.append(one_round(ways, gate))
            print("round over", file=sys.stderr, flush=True)
            check_same(clips, [folder / "loop", *folder.glob("batch*")])
            figures["summary"] = summary(rounds, len(clips), chosen.frames)
            report.write(chosen.json, figures)  # a benchmark that is cut off keeps what it has
    print_rows(figures["summary"], rounds)


def make_clips(videos: Path, folder: Path, frames: int) -> list[Path]:
    """The clips, each source at each width."""
    folder.mkdir()
    clips = []
    for source in SOURCES:
        for width in WIDTHS:
            clips.append(folder / f"{Path(source).stem}-{width}.mp4")
            make_clip(videos / source, clips[-1], width, frames)
    return clips


def one_by_one(clips: Sequence[Path], out: Path) -> list[list[str]]:
    """The commands of a shell loop."""
    out.mkdir()
    return [[*RUN, "run", str(clip), "-o", str(out)] for clip in clips]


def one_round(ways: dict[str, list[list[str]]], gate: Gate) -> Row:
    """Each way once, with the health of the machine around it."""
    row: Row = {}
    health = [gate.wait()]
    for name, commands in ways.items():
        row[name] = timed(commands)
        health.append(gate.health())
        print(f"{name}: {row[name]['wall_s']:.1f} s", file=sys.stderr)
    return row | {"health": health, "gated": min(health) >= gate.least}


def timed(commands: Sequence[list[str]]) -> Row:
    """Wall and CPU seconds of the commands, and their peak memory."""
    begin, before, peak = time.perf_counter(), os.times(), 0.0
    for command in commands:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        watcher = Memory(process.pid)
        said, _ = process.communicate()
        peak = max(peak, watcher.stop())
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{said}")
    wall_s, after = time.perf_counter() - begin, os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    return {"wall_s": wall_s, "cpu_s": cpu_s, "memory_mb": peak}


class Memory(threading.Thread):
    """Peak of the proportional set size of a process and its children, in MB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._peak, self._ended = pid, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        """Look twice a second."""
        while not self._ended.wait(0.5):
            self._peak = max(self._peak, sum(map(held_mb, [self._pid, *children(self._pid)])))

    def stop(self) -> float:
        """The peak."""
        self._ended.set()
        self.join()
        return self._peak


def children(pid: int) -> list[int]:
    """Process ids; none where the system does not tell."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def held_mb(pid: int) -> float:
    """The proportional set size of one process."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def check_same(clips: Sequence[Path], outs: Sequence[Path]) -> None:
    """Refuse figures of runs that did not find the same."""
    for clip in clips:
        records = {(out / f"{clip.stem}.posetrack.jsonl").read_bytes() for out in outs}
        if len(records) != 1:
            raise SystemExit(f"the records of {clip.name} differ")


def summary(rounds: Sequence[Row], videos: int, frames: int) -> list[Row]:
    """Medians of each way, and of its ratio to the first within each round."""
    ways = [name for name, value in rounds[0].items() if isinstance(value, dict)]
    rows = []
    for name in ways:
        walls = [row[name]["wall_s"] for row in rounds]
        wall_s = statistics.median(walls)
        ratios = {
            key: statistics.median(row[ways[0]][key] / row[name][key] for row in rounds)
            for key in ("wall_s", "cpu_s")
        }
        rows.append(
            {
                "way": name,
                "wall_s": wall_s,
                "cpu_s": statistics.median(row[name]["cpu_s"] for row in rounds),
                "videos_per_hour": 3600 * videos / wall_s,
                "fps": videos * frames / wall_s,
                "wall_ratio": ratios["wall_s"],
                "cpu_ratio": ratios["cpu_s"],
                "memory_mb": max(row[name]["memory_mb"] for row in rounds),
            }
        )
    return rows


def print_rows(rows: Sequence[Row], rounds: Sequence[Row]) -> None:
    """A row a way."""
    gated = sum(row["gated"] for row in rounds)
    report.print_table(
        f"medians of {len(rounds)} rounds, {gated} gated",
        ["way", "wall s", "CPU s", "videos/h", "fps", "wall x", "CPU x", "memory MB"],
        [
            (
                row["way"],
                f"{row['wall_s']:.1f}",
                f"{row['cpu_s']:.1f}",
                f"{row['videos_per_hour']:.0f}",
                f"{row['fps']:.1f}",
                f"{row['wall_ratio']:.2f}",
                f"{row['cpu_ratio']:.2f}",
                f"{row['memory_mb']:.0f}",
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
