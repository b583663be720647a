"""What the tracker costs a frame, without the networks, by the number of people.

    python benchmarks/tracker_cost.py
    python benchmarks/tracker_cost.py --against OTHER_CHECKOUT

People walk to and fro at many depths (the crowd of `posetrack synth`), seen as in `peers.py`; the
detector runs on every fifth frame. Each clip is followed some times by the default tracker in one
thread, and of each frame's times (propose and update) the least counts: what else the machine did
is not the tracker's. Stated is the median over frames, over all and over those of the detector.

With `--against`, this checkout and the other one run in turn, each in processes of its own, and
`ratio` is the median over the pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import cv2
import numpy as np
import report
from peers import Clip, drawn_clip, tracker_of

from posetrack.synth import crowd
from posetrack.tracking import TrackerSettings

PEOPLE = (1, 5, 20, 50)
SECONDS = 3.0
INTERVAL = 5
REPEATS = 7
PAIRS = 3

Cost = dict[str, float]


def clip_of(people: int) -> Clip:
    """So many people, seen with some noise."""
    scene = crowd(np.random.default_rng(people), people=people)
    return drawn_clip(f"crowd of {people}", replace(scene, seconds=SECONDS))


def measure(clip: Clip) -> Cost:
    """Medians over the frames, in ms."""
    runs = np.array([follow(clip) for _ in range(REPEATS)])
    frames = 1e3 * runs.min(axis=0)
    return {
        "ms": float(np.median(frames)),
        "ms_detector_frames": float(np.median(frames[::INTERVAL])),
        "shown": float(np.mean([len(look.poses) for look in clip.looks])),
    }


def follow(clip: Clip) -> list[float]:
    """The tracker's seconds in each frame."""
    tracker, spent = tracker_of(TrackerSettings()), []
    for index, (image, look) in enumerate(zip(clip.images, clip.looks, strict=True)):
        found = look.detections if index % INTERVAL == 0 else None
        begin = perf_counter()
        asked = tracker.propose(found, t_s=look.t_s, size=clip.size)
        proposed = perf_counter()
        poses = look.poses_in(asked.boxes, asked.scores)
        estimated = perf_counter()
        tracker.update(poses, asked, t_s=look.t_s, size=clip.size, image=image)
        spent.append(perf_counter() - estimated + proposed - begin)
    return spent


def measured_in(checkout: Path, clip: Path) -> Cost:
    """The same by the package of another folder, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--clip", str(clip)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: Cost = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="tracker_cost.json")
    parser.add_argument("--people", nargs="+", type=int, default=PEOPLE)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--clip", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    if chosen.clip is not None:
        print(json.dumps(measure(pickle.loads(chosen.clip.read_bytes()))))
        return
    sides = [report.REPOSITORY, *([chosen.against.resolve()] if chosen.against else [])]
    rows = []
    with TemporaryDirectory() as folder:
        for people in chosen.people:
            path = Path(folder) / f"{people}.pickle"
            path.write_bytes(pickle.dumps(clip_of(people)))
            pairs = [[measured_in(side, path) for side in sides] for _ in range(PAIRS)]
            path.unlink()
            row = {"people": people} | {k: median(p[0][k] for p in pairs) for k in pairs[0][0]}
            if chosen.against:
                row["ms_against"] = median(p[1]["ms"] for p in pairs)
                row["ratio"] = median(p[0]["ms"] / p[1]["ms"] for p in pairs)
            rows.append(row)
    columns = list(rows[0])
    report.print_table("tracker, ms a frame", columns, [[r[c] for c in columns] for r in rows])
    report.write(chosen.json, {"rows": rows})


if __name__ == "__main__":
    main()
