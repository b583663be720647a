"""Does a live source survive its server: faults at random over loopback, and what they cost.

    python benchmarks/live_faults.py                    # 100 faults, about ten minutes
    python benchmarks/live_faults.py --faults 20 --seed 7

The RTSP server of the tests sends one picture of the demo's people, at 25 a second; a source with
the default tracker behind it follows them. A fault is one of: the server is killed and comes back
later, maybe with another size or codec; it is frozen (SIGSTOP); it goes silent and keeps its
connections; it drops them; it changes size in mid-stream; it changes its codec. Noted for each:
how long after the server was well again a picture came (promised: `open_timeout_s` and 1.25
`longest_backoff_s`, and a second for server and key frame), whether everybody kept the id, threads
and open files. At the end the source is closed and all must be given back. The exit status is 1
where a promise was broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import report
from soak import held, left

from posetrack import demo
from posetrack.media.live import LiveSettings, LiveSource
from posetrack.perception import Perception
from posetrack.stage import write_clip
from posetrack.tracking.presets import preset
from posetrack.types import Result

sys.path.insert(0, str(report.REPOSITORY / "tests"))
from senders import Sender

SETTINGS = LiveSettings(
    reconnects=None,
    open_timeout_s=3.0,
    read_timeout_s=1.5,
    stall_s=0.5,
    backoff_s=0.1,
    longest_backoff_s=1.0,
)
START_S = 1.0
PROMISED_S = SETTINGS.open_timeout_s + 1.25 * SETTINGS.longest_backoff_s + START_S
SIZES = ("640x480", "320x240", "800x600")
MAX_MISSING_S = 10.0


class Follower(threading.Thread):
    """Takes every frame it can get and tracks the people in it.

    Attributes:
        newest: the last result.
        seen: every id so far.
        wrong: what must not be: time or index that ran back, an id at another person's place, a
            new id that is not above all before.
    """

    def __init__(self, source: LiveSource, perception: Perception) -> None:
        super().__init__(daemon=True)
        self.newest: Result | None = None
        self.frames = 0
        self.wrong: list[str] = []
        self._source, self._perception = source, perception
        self._homes: dict[int, Any] = {}
        self.seen: set[int] = set()

    def run(self) -> None:
        """Until the source ends."""
        before = None
        for frame in self._source:
            if before is not None and not (
                frame.index > before.index and frame.pts_s > before.pts_s
            ):
                self.wrong.append(f"{frame!r} after {before!r}")
            before = frame
            result = self._perception(frame.image, frame.pts_s)
            self._check(result)
            self.newest, self.frames = result, self.frames + 1

    def settle(self) -> int:
        """Note where everybody is, which is where they stay: the picture stands still."""
        assert self.newest is not None
        tracks = self.newest.tracks
        centres = (tracks.poses.boxes[:, :2] + tracks.poses.boxes[:, 2:]) / 2
        self._homes = dict(zip(tracks.ids.tolist(), centres, strict=True))
        return len(tracks)

    def _check(self, result: Result) -> None:
        for number, box in zip(result.tracks.ids.tolist(), result.tracks.poses.boxes, strict=True):
            if number in self._homes:
                centre = (box[:2] + box[2:]) / 2
                away = {other: np.linalg.norm(centre - at) for other, at in self._homes.items()}
                nearest = min(away, key=lambda other: away[other])
                if nearest != number:
                    self.wrong.append(f"id {number} is where {nearest} was, frame {self.frames}")
            elif number not in self.seen and self.seen and number < max(self.seen):
                self.wrong.append(f"id {number} is new and below {max(self.seen)}")
            self.seen.add(number)

    def ids(self) -> frozenset[int]:
        """Who is there now."""
        return frozenset(self.newest.tracks.ids.tolist()) if self.newest else frozenset()


def inflict(fault: str, sender: Sender, clip: Path, chance: random.Random) -> None:
    """Do it, and return when the server is well again."""
    away_s = chance.uniform(0.2, 4.0)
    if fault == "kill":
        sender.kill()
        sleep(away_s)
        sender.start("--clip", str(clip), "--size", chance.choice(SIZES))
    elif fault == "freeze":
        sender.freeze()
        sleep(away_s)
        sender.thaw()
    elif fault == "silence":
        sender.command("mute")
        sleep(away_s)
        sender.command("speak")
    elif fault == "drop":
        sender.command("drop")
    elif fault == "size":
        sender.command(f"size {chance.choice(SIZES)}")
    else:
        sender.command(f"codec {chance.choice(('h264', 'mpeg4'))}")


def wait_for(condition: Callable[[], bool], longest_s: float) -> float | None:
    """Seconds until it held; None where it did not."""
    begin = perf_counter()
    while perf_counter() - begin < longest_s:
        if condition():
            return perf_counter() - begin
        sleep(0.01)
    return None


def one_fault(
    fault: str, source: LiveSource, follower: Follower, inflicted: Callable[[], None]
) -> dict[str, Any]:
    """The row of a fault."""
    ids, reconnects = follower.ids(), source.status.reconnects
    inflicted()
    well = perf_counter()

    def back() -> bool:
        newest = follower.newest
        return newest is not None and newest.frame.captured_at > well

    back_s = wait_for(back, 4 * PROMISED_S)
    # The connection may still be the old one, about to be given up; then it comes back once more.
    settled_s = SETTINGS.read_timeout_s + 0.5
    sleep(settled_s)
    wait_for(lambda: source.state == "running", PROMISED_S)
    kept = wait_for(lambda: follower.ids() == ids, 4.0) is not None
    return {
        "fault": fault,
        "back_s": back_s,
        "reconnects": source.status.reconnects - reconnects,
        "ids_kept": kept,
        **held(),
    }


def soak(faults: int, seed: int, folder: Path) -> dict[str, Any]:
    """Every row, and what they amount to."""
    chance = random.Random(seed)
    picture = next(islice(demo.frames(), 30, None))
    clip = folder / "people.mp4"
    write_clip(clip, iter([picture] * 5), size=demo.SIZE, fps=demo.FPS)
    tracker = replace(preset("default"), max_missing_s=MAX_MISSING_S)
    rows: list[dict[str, Any]] = []
    with Perception(det_interval=10, tracker=tracker) as perception:
        perception(picture[0], 0.0)  # threads of the networks count as there before
        perception.reset()
        before = held()
        with Sender("--clip", str(clip), "--size", "640x480") as sender:
            source = LiveSource(sender.address, SETTINGS)
            follower = Follower(source, perception)
            follower.start()
            wait_for(lambda: follower.frames > 30, 30)
            people = follower.settle()
            kinds = ("kill", "freeze", "silence", "drop", "size", "codec")
            for number in range(faults):
                fault = kinds[number] if number < len(kinds) else chance.choice(kinds)
                row = one_fault(
                    fault, source, follower, lambda f=fault: inflict(f, sender, clip, chance)
                )
                rows.append(row)
                print(number + 1, row, file=sys.stderr, flush=True)
            began = perf_counter()
            source.close()
            closed_s = perf_counter() - began
            follower.join(5)
        after = held()
    return {
        "seed": seed,
        "faults": len(rows),
        "people": people,
        "ids": len(follower.seen),
        "frames": follower.frames,
        "promised_s": PROMISED_S,
        "closed_s": closed_s,
        "wrong": follower.wrong,
        "before": before,
        "after": after,
        "rows": rows,
    }


def broken(found: dict[str, Any]) -> list[str]:
    """The promises that were not kept."""
    rows, told = found["rows"], list(found["wrong"])
    late = [row for row in rows if row["back_s"] is None or row["back_s"] > PROMISED_S]
    told += [f"back too late: {row}" for row in late]
    return told + left(found)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=6)
    report.add_options(parser, result="live_faults.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(args.faults, args.seed, Path(folder))
    problems = broken(found)
    rows = found["rows"]
    table = []
    for fault, count in sorted(Counter(row["fault"] for row in rows).items()):
        mine = [row for row in rows if row["fault"] == fault]
        times = [row["back_s"] for row in mine if row["back_s"] is not None]
        figures = [f"{np.median(times):.2f}", f"{max(times):.2f}"] if times else ["-", "-"]
        kept = sum(row["ids_kept"] for row in mine)
        table.append([fault, str(count), *figures, f"{kept} of {count}"])
    columns = ["fault", "times", "back after s, median", "most", "everybody kept the id"]
    report.print_table(f"{len(rows)} faults, {PROMISED_S:g} s promised", columns, table)
    for problem in problems:
        print(problem)
    report.write(args.json, {"broken": problems, **found})
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
