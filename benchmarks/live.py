"""How old the daemon's results are, what it drops and what it costs, by the number of streams.

    python benchmarks/live.py
    python benchmarks/live.py --streams 1 2 4 --seconds 20 --rounds 3 --size 1280 720

Each figure is of a daemon in a process of its own with the embedded pair, whose streams play one
generated clip of four people in its own time, from different places. A client reads every message
of every stream by WebSocket. An age is `publish_ns - capture_ns` of a message; drops are those the
daemon counted; CPU is that of its process, in cores. Every round runs every variant, in turn:

* `batched`: what waits while the pose network runs becomes the next batch;
* `alone`: no two frames share a run of the pose network (batching.max_boxes 1);
* `held`: a batch is held open 5 ms for more (batching.wait_ms 5);
* `single`: one copy of the pose network (batching.copies 1).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import report
import yaml
from websockets.sync.client import connect

from posetrack.demo import make_clip

VARIANTS: dict[str, dict[str, float]] = {
    "batched": {},
    "alone": {"max_boxes": 1},
    "held": {"wait_ms": 5.0},
    "single": {"copies": 1},
}
PERCENTILES = (50, 95, 99)
_WARM_S = 4.0


@dataclass
class Heard:
    """What came of one stream."""

    ages_ms: list[float] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)


def main() -> None:
    """Measure, show and write."""
    args = _arguments()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, seconds=8, size=tuple(args.size))
        for number in range(args.rounds):
            for count in args.streams:
                for name in args.variants:
                    rows.append(_measure(Path(folder), clip, count, name, args))
                    print(f"round {number + 1}: {rows[-1]}", file=sys.stderr)
    report.write(args.json, {"seconds": args.seconds, "size": args.size, "runs": rows})
    _show(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=[640, 480])
    parser.add_argument(
        "--stride", type=int, default=1, help="take every n-th frame of 25 a second"
    )
    parser.add_argument("--threads", type=int, default=1, help="of each network")
    parser.add_argument("--json", type=Path, default=report.RESULTS / "live.json")
    return parser.parse_args()


def _measure(
    folder: Path, clip: Path, count: int, variant: str, args: argparse.Namespace
) -> dict[str, Any]:
    """One daemon with so many streams."""
    config = {
        "listen": {"port": 0},
        "backend": {"threads": args.threads},
        "batching": VARIANTS[variant],
        "defaults": {"source": {"stride": args.stride}},
        "limits": {"queue": 256},
        "streams": [{"id": f"s{n}", "url": str(clip)} for n in range(count)],
    }
    file = folder / "serve.yaml"
    file.write_text(yaml.safe_dump(config))
    with _daemon(file) as (process, address):
        heard = [Heard() for _ in range(count)]
        begin, over = threading.Event(), threading.Event()
        readers = [
            threading.Thread(target=_listen, args=(address, f"s{n}", heard[n], begin, over))
            for n in range(count)
        ]
        for reader in readers:
            reader.start()
        time.sleep(_WARM_S)
        before, wall = _cpu_s(process), time.perf_counter()
        figures = _batches(address)
        begin.set()
        time.sleep(args.seconds)
        over.set()
        for reader in readers:
            reader.join()
        wall_s, cpu_s = time.perf_counter() - wall, _cpu_s(process) - before
        runs, frames = (b - a for a, b in zip(figures, _batches(address), strict=True))
    ages = np.concatenate([each.ages_ms for each in heard])
    came = len(ages)
    lost = sum(each.dropped[-1] - each.dropped[0] for each in heard)
    return {
        "variant": variant,
        "streams": count,
        "frames": came,
        "fps_per_stream": round(came / wall_s / count, 2),
        "dropped_share": round(lost / (came + lost), 4),
        "people": round(float(np.mean([n for each in heard for n in each.people])), 2),
        **{f"age_p{p}_ms": round(float(np.percentile(ages, p)), 1) for p in PERCENTILES},
        "cpu_cores": round(cpu_s / wall_s, 3),
        "cpu_ms_per_frame": round(cpu_s / came * 1e3, 2),
        "frames_per_batch": round(frames / runs, 3) if runs else None,
    }


@contextmanager
def _daemon(file: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "posetrack", "serve", str(file), "--log-level", "error"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("POSETRACK_LISTEN")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


def _listen(
    address: str, stream: str, heard: Heard, begin: threading.Event, over: threading.Event
) -> None:
    """Note what comes between the two moments."""
    url = f"{address.replace('http', 'ws', 1)}/v1/streams/{stream}/poses"
    with connect(url, max_queue=None) as socket:
        while not over.is_set():
            message = json.loads(socket.recv(30))
            if begin.is_set():
                heard.ages_ms.append((message["publish_ns"] - message["capture_ns"]) / 1e6)
                heard.dropped.append(message["dropped"])
                heard.people.append(len(message["people"]))


def _batches(address: str) -> tuple[float, float]:
    """Runs of the pose network so far, and the frames in them."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        lines = dict(
            line.rsplit(" ", 1)
            for line in answer.read().decode().splitlines()
            if line.startswith("posetrack_pose_batch")
        )
    return (
        float(lines["posetrack_pose_batches_total"]),
        float(lines["posetrack_pose_batch_frames_total"]),
    )


def _cpu_s(process: subprocess.Popen[str]) -> float:
    """User and system time of a process so far (Linux)."""
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _show(rows: list[dict[str, Any]]) -> None:
    """The median of the rounds, a row for each variant and number of streams."""
    names = [name for name in rows[0] if name not in ("variant", "streams", "frames")]
    print(f"{'variant':9}{'streams':>8}" + "".join(f"{name:>18}" for name in names))
    for key in dict.fromkeys((row["variant"], row["streams"]) for row in rows):
        same = [row for row in rows if (row["variant"], row["streams"]) == key]
        cells = [np.median([row[name] for row in same if row[name] is not None]) for name in names]
        print(f"{key[0]:9}{key[1]:>8}" + "".join(f"{cell:>18.3f}" for cell in cells))


if __name__ == "__main__":
    main()
