"""How old is a result live: from the moment a picture was taken to the moment its people are known.

    python benchmarks/latency.py
    python benchmarks/latency.py --scene crossing --fps 30 --windows 12

The pictures of a generated scene with two people come at a camera's rate and wait for nobody,
through the live loop of `posetrack webcam` with the embedded pair: one picture waits at most, a
newer one replaces it. An age counts from when the picture was due: a late camera thread counts too.
Windows of `--seconds` count as gated where `probe.py` found both cores whole before and after;
percentiles are over all pictures of the gated windows, and beside them over those of all windows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from time import perf_counter
from typing import Any

import numpy as np
import report
from probe import Gate

from posetrack.perception import Perception
from posetrack.runner import run
from posetrack.synth import make_scene, pictures
from posetrack.types import Frame, Image, Result

PERCENTILES = (50, 95, 99)
GOAL_INTERVALS = 1.5


class Camera:
    """Pictures over and over at a fixed rate, whether anybody takes them or not."""

    name, kind, path, warning = "camera", "live", None, None
    is_live, has_audio = True, False
    dropped = 0
    frame_count: int | None = None

    def __init__(self, images: Sequence[Image], fps: float, count: int) -> None:
        self._images, self.fps, self._count = images, Fraction(fps), count
        self.size = (images[0].shape[1], images[0].shape[0])

    def __iter__(self) -> Iterator[Frame]:
        begin = perf_counter()
        for index in range(self._count):
            due = begin + index / float(self.fps)
            time.sleep(max(0.0, due - perf_counter()))
            image = self._images[self._place(index)]
            yield Frame(image, index, index / float(self.fps), due, self.name)

    def _place(self, index: int) -> int:
        """To and fro, so that nobody jumps."""
        there = index % (2 * len(self._images) - 2)
        return min(there, 2 * len(self._images) - 2 - there)

    def close(self) -> None:
        """There is nothing to give back."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="latency.json")
    parser.add_argument("--scene", default="crossing")
    parser.add_argument("--people", type=int, default=2, help="of the scene, at most")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--det-interval", type=int, default=5)
    chosen = parser.parse_args()
    scene = make_scene(chosen.scene)
    some = replace(scene, cast=lambda t: scene.cast(t)[: chosen.people])
    images = [image for image, _ in pictures(some)]
    gate = Gate()
    windows = []
    for _ in range(chosen.windows):
        before = gate.wait()
        row = window(images, chosen.fps, int(chosen.seconds * chosen.fps), chosen.det_interval)
        row["health"] = [before, gate.health()]
        row["gated"] = min(row["health"]) >= gate.least
        windows.append(row)
    figures = {
        "scene": chosen.scene,
        "people": chosen.people,
        "fps": chosen.fps,
        "windows": windows,
    }
    rows = [figures_of(name, part, chosen.fps) for name, part in parts(windows).items() if part]
    report.write(chosen.json, figures | {"figures": rows})
    columns = ("windows", "count", "pictures", "dropped", "people", "p50 ms", "p95", "p99", "goal")
    report.print_table("age of results", columns, [tuple(row.values()) for row in rows])


def window(images: Sequence[Image], fps: float, count: int, interval: int) -> dict[str, Any]:
    """The ages of `count` pictures less those that were dropped."""
    ages: list[float] = []
    people: list[int] = []

    def note(result: Result) -> None:
        ages.append((perf_counter() - result.frame.captured_at) * 1e3)
        people.append(len(result.tracks))

    with Perception(det_interval=interval) as perception:
        summary = run(Camera(images, fps, count), perception, live=True, on_progress=note)
    return {"ages_ms": ages, "dropped": summary.dropped, "people": float(np.mean(people))}


def parts(windows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The gated windows, and all of them."""
    return {"gated": [row for row in windows if row["gated"]], "all": list(windows)}


def figures_of(name: str, windows: Sequence[dict[str, Any]], fps: float) -> dict[str, Any]:
    """Percentiles over the pictures of some windows."""
    ages = np.concatenate([row["ages_ms"] for row in windows])
    found = {f"p{p}_ms": round(float(np.percentile(ages, p)), 1) for p in PERCENTILES}
    return {
        "windows": name,
        "count": len(windows),
        "pictures": len(ages),
        "dropped": sum(row["dropped"] for row in windows),
        "people": round(float(np.mean([row["people"] for row in windows])), 2),
        **found,
        "goal_ms": round(GOAL_INTERVALS * 1e3 / fps, 1),
    }


if __name__ == "__main__":
    main()
