"""Does memory stay flat: one clip over and over through the whole loop, as one long video.

    python benchmarks/soak.py                      # 100,000 frames of the demo's clip
    python benchmarks/soak.py --frames 2000 --clip clip.mp4

Decode, detector, poses, tracker, drawing, H.264 and records run as in `posetrack run`; time goes
on where the clip begins again. Memory (resident set), threads, open files and the time a frame took
are noted at a hundred places. Memory is flat if the second half grows by less than `FLAT_MIB` in
all, by the least-squares line, not counting the index of the MP4: `INDEX_BYTES` a picture, which
the muxer keeps until the end and grows by with nothing of posetrack around it. The cost of a frame
is constant if the last fifth takes no more than a tenth more CPU time than the second one (CPU
time, so that the run may share the machine). The exit status is 1 where memory is not flat.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import report

from posetrack.demo import make_clip
from posetrack.media.painter import Painter
from posetrack.media.source import open_source
from posetrack.media.video import VideoSink
from posetrack.perception import EMBEDDED, Perception
from posetrack.records import Header, RecordWriter
from posetrack.runner import run
from posetrack.types import Frame, Result

FLAT_MIB = 4.0
PLACES = 100
INDEX_BYTES = 70


class Endless:
    """A clip again and again, `frames` in all, as one source; all else about it is the clip's."""

    def __init__(self, clip: Path, frames: int) -> None:
        self._clip, self._frames = clip, frames
        self._source = open_source(clip)
        self.frame_count, self.has_audio, self.path = frames, False, None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Iterator[Frame]:
        index, start_s, step_s = 0, 0.0, 1 / float(self._source.fps)
        while True:
            last_s = 0.0
            for frame in self._source:
                if index == self._frames:
                    return
                yield replace(frame, index=index, pts_s=start_s + frame.pts_s)
                index, last_s = index + 1, frame.pts_s
            start_s += last_s + step_s
            self._source.close()
            self._source = open_source(self._clip)

    def close(self) -> None:
        """Give back the file."""
        self._source.close()


class Gauge:
    """Notes memory, threads and files every `every` results."""

    def __init__(self, every: int) -> None:
        self.every, self.rows = every, []
        self._frames, self._begin, self._cpu = 0, perf_counter(), process_time()

    def __call__(self, result: Result) -> None:
        """Count one result."""
        self._frames += 1
        if self._frames % self.every:
            return
        now, cpu = perf_counter(), process_time()
        self.rows.append(
            {
                "frame": self._frames,
                "ms": (now - self._begin) / self.every * 1e3,
                "cpu_ms": (cpu - self._cpu) / self.every * 1e3,
                "people": len(result.tracks),
                **held(),
            }
        )
        self._begin, self._cpu = now, cpu


def held(process: int | str = "self") -> dict[str, float]:
    """What a process holds: memory in MiB, threads, open files; others' can be told on Linux."""
    about = Path("/proc") / str(process)
    if about.exists():
        pages = int((about / "statm").read_text().split()[1])
        memory = pages * resource.getpagesize() / 2**20
        threads, files = (len(list((about / what).iterdir())) for what in ("task", "fd"))
    else:  # the peak is all that other systems tell
        memory, files = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 0
        threads = threading.active_count()
    return {"memory_mib": memory, "threads": threads, "files": files}


def left(found: dict[str, Any]) -> list[str]:
    """Threads and files that were not given back: more `after` than `before`."""
    before, after = found["before"], found["after"]
    return [
        f"{what} left: {before[what]} before, {after[what]} after"
        for what in ("threads", "files")
        if after[what] > before[what]
    ]


def growth_mib(rows: Sequence[dict[str, Any]]) -> float:
    """What memory grew by over the second half of the rows, by the least-squares line."""
    half = rows[len(rows) // 2 :]
    at, memory = ([row[key] for row in half] for key in ("frame", "memory_mib"))
    return float(np.polyfit(at, memory, 1)[0]) * (at[-1] - at[0])


def soak(clip: Path, frames: int, folder: Path, *, det: str, pose: str) -> dict[str, Any]:
    """The rows of a run over `frames` frames and what they amount to."""
    gauge = Gauge(max(1, frames // PLACES))
    source = Endless(clip, frames)
    with Perception(det=det, pose=pose, det_interval=5) as perception:
        header = Header(
            source=clip.name,
            size=source.size,
            fps=float(source.fps),
            skeleton=perception.skeleton,
            models={},
            settings={},
        )
        sinks = [
            VideoSink(folder / "soak.mp4", source),
            RecordWriter(folder / "soak.jsonl", header),
        ]
        summary = run(source, perception, sinks, draw=Painter(), on_progress=gauge)
    growth = growth_mib(gauge.rows)
    index = INDEX_BYTES * summary.frames / 2 / 2**20
    fifth = len(gauge.rows) // 5
    early, late = (
        float(np.median([row["cpu_ms"] for row in rows]))
        for rows in (gauge.rows[fifth : 2 * fifth], gauge.rows[-fifth:])
    )
    return {
        "frames": summary.frames,
        "people_mean": summary.people_mean,
        "fps": summary.fps,
        "memory_growth_mib": growth,
        "video_index_mib": index,
        "memory_flat": growth - index < FLAT_MIB,
        "cpu_ms_second_fifth": early,
        "cpu_ms_last_fifth": late,
        "cost_constant": late <= 1.1 * early,
        "threads": [gauge.rows[0]["threads"], gauge.rows[-1]["threads"]],
        "files": [gauge.rows[0]["files"], gauge.rows[-1]["files"]],
        "rows": gauge.rows,
    }


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--clip", type=Path, help="any video; default the demo's")
    parser.add_argument("--det", default=EMBEDDED)
    parser.add_argument("--pose", default=EMBEDDED)
    parser.add_argument("--json", type=Path, default=report.RESULTS / "soak.json")
    chosen = parser.parse_args()
    if chosen.frames < PLACES:
        parser.error(f"--frames {chosen.frames}: give {PLACES} or more")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = chosen.clip or folder / "demo.mp4"
        if chosen.clip is None:
            make_clip(clip)
        found = soak(clip, chosen.frames, folder, det=chosen.det, pose=chosen.pose)
    report.write(chosen.json, found)
    keys = (
        "frames",
        "people_mean",
        "fps",
        "memory_growth_mib",
        "cpu_ms_second_fifth",
        "cpu_ms_last_fifth",
    )
    report.print_table("soak", keys, [[f"{found[key]:.4g}" for key in keys]])
    return 0 if found["memory_flat"] else 1


if __name__ == "__main__":
    sys.exit(main())
