"""Does a live source survive its server: faults at random over loopback, and what they cost.

    python benchmarks/live_faults.py                    # 100 faults, about ten minutes
    python benchmarks/live_faults.py --daemon           # of one stream of a running daemon
    python benchmarks/live_faults.py --faults 20 --seed 7 --daemon --gstreamer

The RTSP server of the tests sends one picture of the demo's people, at 25 a second; a source with
the default tracker behind it follows them. A fault is one of: the server is killed and comes back
later, maybe with another size; it is frozen (SIGSTOP); it goes silent and keeps its connections; it
drops them; it changes size in mid-stream; it changes its codec. Noted for each: how long after the
server was well again a picture came (promised: `open_timeout_s` and 1.25 `longest_backoff_s`, and
a second for server and key frame), whether everybody kept the id, threads and open files. At the
end all must be given back. The exit status is 1 where a promise was broken.

With `--daemon` the source is a stream of `posetrack serve`, in a process of its own, beside a
stream with a server of its own to which nothing is done. What comes is read by WebSocket, states
are those of /v1/streams. The other stream must never be anything but running, nor be opened again,
nor lose an id; its results a second while its neighbour suffers must be `UNDISTURBED` or more of
those in the seconds between the faults. Every third picture is taken, so that two streams fit a
small machine.

`--gstreamer`: GStreamer's RTSP server and its test picture, with a detector that sees one person
in anything; no silence.

Time in which this process was not let run does not count, and a fault it fell into is not judged.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import report
from followers import DaemonFollower, Follower, LocalFollower
from pauses import Pauses
from soak import growth_mib, held, left

from posetrack import demo
from posetrack.media.live import LiveSettings, LiveSource
from posetrack.perception import EMBEDDED, Perception
from posetrack.stage import write_clip
from posetrack.tracking.presets import preset

sys.path.insert(0, str(report.REPOSITORY / "tests"))
from daemons import running, settings
from senders import Sender
from tiny_models import Models, make_models

SETTINGS = LiveSettings(
    reconnects=None,
    open_timeout_s=3.0,
    read_timeout_s=1.5,
    stall_s=0.5,
    backoff_s=0.1,
    longest_backoff_s=1.0,
)
RESTART_S = 2.0
START_S = 1.0
PROMISED_S = SETTINGS.open_timeout_s + 1.25 * SETTINGS.longest_backoff_s + START_S
SIZES = ("640x480", "320x240", "800x600")
MAX_MISSING_S = 10.0
INTERVAL = 10
UNDISTURBED = 0.8


@dataclass
class Camera:
    """A server and what can be done to it.

    Attributes:
        clip: what it shows; None: GStreamer's test picture.
        chance: how long, which size, which codec.
    """

    clip: Path | None
    chance: random.Random

    def __post_init__(self) -> None:
        gstreamer = self.clip is None
        self.codecs = ("h264", "mjpeg") if gstreamer else ("h264", "mpeg4")
        self.kinds = ["kill", "freeze", "drop", "size", "codec"]
        if not gstreamer:
            self.kinds.insert(2, "silence")
        script = "gst_server.py" if gstreamer else "rtsp_server.py"
        self.sender = Sender(*self._options("640x480"), script=script)

    def inflict(self, fault: str) -> float:
        """Do it, return when the server is well again; how long it was not, s."""
        away_s, sender = self.chance.uniform(0.2, 4.0), self.sender
        if fault == "kill":
            sender.kill()
            sleep(away_s)
            sender.start(*self._options(self.chance.choice(SIZES)))
        elif fault == "freeze":
            sender.freeze()
            sleep(away_s)
            sender.thaw()
        elif fault == "silence":
            sender.command("mute")
            sleep(away_s)
            sender.command("speak")
        else:
            away_s = 0.0
            value = {"size": SIZES, "codec": self.codecs}.get(fault)
            sender.command(f"{fault} {self.chance.choice(value)}" if value else fault)
        return away_s

    def _options(self, size: str) -> list[str]:
        return ["--size", size, *([] if self.clip is None else ["--clip", str(self.clip)])]


class Neighbour:
    """A stream that nothing is done to: what comes of it while the other suffers, and while not."""

    def __init__(self, stream: DaemonFollower, pauses: Pauses) -> None:
        self.stream, self.pauses = stream, pauses
        self.totals: dict[str, Counter[str]] = {"fault": Counter(), "calm": Counter()}
        self._phase, self._before = "calm", self._count()
        self._ids = stream.ids()
        stream.states, stream.silent_s = [], 0.0

    def enter(self, phase: str) -> None:
        """What comes from now on belongs to this phase."""
        now = self._count()
        self.totals[self._phase].update({key: now[key] - self._before[key] for key in now})
        self._phase, self._before = phase, now

    def row(self, wait: Callable[[Callable[[], bool], float], float | None]) -> dict[str, Any]:
        """How it is, and was since the last row; `wait` is a trial's."""
        stream = self.stream
        kept = wait(lambda: stream.ids() == self._ids, 4.0) is not None
        told = {
            "states": stream.states,
            "reconnects": stream.reconnects,
            "ids_kept": kept,
            "silent_s": stream.silent_s,
        }
        self._ids = stream.ids()  # who got a new id is told once
        stream.states, stream.silent_s = [], 0.0
        return told

    def share(self) -> float:
        """Results a second during faults, by those between them."""
        rates = {phase: total["frames"] / total["s"] for phase, total in self.totals.items()}
        return rates["fault"] / rates["calm"]

    def _count(self) -> dict[str, float]:
        lost = sum(self.stream.shown["dropped"].values())
        return {"s": self.pauses.clock_s(), "frames": self.stream.frames, "dropped": lost}


@dataclass
class Trial:
    """What is put to the test.

    Attributes:
        stream: that suffers.
        process: whose memory, threads and files count.
        pauses: when all stood still.
        neighbour: a stream of the same daemon.
    """

    stream: Follower
    process: int | str
    pauses: Pauses
    neighbour: Neighbour | None = None

    def one(self, fault: str, camera: Camera) -> dict[str, Any]:
        """The row of a fault."""
        stream, neighbour = self.stream, self.neighbour
        ids, reconnects = stream.ids(), stream.reconnects
        paused, stream.states = len(self.pauses.lengths_s), []
        if neighbour is not None:
            neighbour.enter("fault")
        away_s = camera.inflict(fault)
        well = perf_counter()
        back_s = self.wait(
            lambda: stream.newest is not None and stream.newest.captured_at > well, 4 * PROMISED_S
        )
        if neighbour is not None:
            neighbour.enter("calm")
        # The connection may still be the old one, about to be given up; then it comes back again.
        sleep(SETTINGS.read_timeout_s + 0.5)
        self.wait(lambda: stream.state == "running", PROMISED_S)
        kept = self.wait(lambda: stream.ids() == ids, 4.0) is not None
        row = {
            "fault": fault,
            "away_s": away_s,
            "back_s": back_s,
            "reconnects": stream.reconnects - reconnects,
            "ids_kept": kept,
            "frame": stream.frames,
            "pauses_s": self.pauses.lengths_s[paused:],
            **held(self.process),
        }
        if neighbour is not None:
            row |= {"states": stream.states, "neighbour": neighbour.row(self.wait)}
        return row

    def wait(self, condition: Callable[[], bool], longest_s: float) -> float | None:
        """Seconds until it held; None where it did not."""
        begin = self.pauses.clock_s()
        while (since_s := self.pauses.clock_s() - begin) < longest_s:
            if condition():
                return since_s
            sleep(0.01)
        return None


@contextmanager
def local(address: str, models: Models, pauses: Pauses, told: dict[str, Any]) -> Iterator[Trial]:
    """A source and a tracker in this process; `told` gets what was left of them."""
    tracker = replace(preset("default"), max_missing_s=MAX_MISSING_S)
    options = {"det": str(models.det), "pose": str(models.pose)}
    with Perception(**options, det_interval=INTERVAL, tracker=tracker) as perception:
        perception(np.zeros((*demo.SIZE[::-1], 3), np.uint8), 0.0)  # loaded is loaded before
        perception.reset()
        told["before"] = held()
        source = LiveSource(address, SETTINGS)
        follower = LocalFollower(source, perception)
        follower.start()
        yield Trial(follower, "self", pauses)
        began = pauses.clock_s()
        source.close()
        told["closed_s"] = pauses.clock_s() - began
        follower.join(5)
        told["after"] = held()


@contextmanager
def of_daemon(
    senders: tuple[Sender, Sender],
    folder: Path,
    models: Models,
    pauses: Pauses,
    told: dict[str, Any],
) -> Iterator[Trial]:
    """A daemon with two streams, the first to suffer; `told` gets what was left, how it ended."""
    addresses = senders[0].address, senders[1].address
    senders[0].freeze()  # until its stream is watched, whose first state would be missed
    with running(daemon_settings(addresses, folder, models), folder / "daemon") as daemon:
        process = daemon.process.pid
        streams = [DaemonFollower(daemon.address, name) for name in ("ill", "well")]
        for stream in streams:
            stream.start()
        trial = Trial(streams[0], process, pauses)
        trial.wait(lambda: bool(streams[0].states), 300)
        senders[0].thaw()
        for stream in streams:
            trial.wait(lambda stream=stream: stream.frames > 10, 300)
            stream.settle()
        told["at_first"] = list(streams[0].states)
        told["before"] = held(process)
        trial.neighbour = Neighbour(streams[1], pauses)
        yield trial
        trial.neighbour.enter("calm")
        trial.wait(lambda: not left(told | {"after": held(process)}), 30)
        told["after"] = held(process)
        told["neighbour"] = {
            "wrong": streams[1].wrong,
            "share": trial.neighbour.share(),
            **trial.neighbour.totals,
        }
        for stream in streams:
            stream.end()
        told["again"] = [stream.again for stream in streams]
        told["ended_by_itself"] = daemon.process.poll() is not None
        told["closed_s"] = daemon.stop(patience_s=600)
        told["exit_status"] = daemon.process.returncode
        log = daemon.log.read_text().splitlines()
        told["log_errors"] = [line for line in log if " error " in line or "Traceback" in line]


def daemon_settings(addresses: tuple[str, str], folder: Path, models: Models) -> dict[str, Any]:
    """Two streams of these addresses, the first opened and watched as `SETTINGS` say."""
    live = {key: asdict(SETTINGS)[key] for key in ("open_timeout_s", "read_timeout_s")}
    backoff = {key: asdict(SETTINGS)[key] for key in ("stall_s", "backoff_s", "longest_backoff_s")}
    ill = {"live": live, "watch": backoff | {"restart_s": RESTART_S}}
    data = settings(
        models,
        folder / "media",
        0,
        streams=[
            {"id": "ill", "url": addresses[0], **ill},
            {"id": "well", "url": addresses[1], "watch": {"stall_s": 2.0}},
        ],
    )
    data["defaults"]["source"] = {"stride": 3}
    for part in ("detector", "pose"):
        if data["defaults"][part]["model"] == EMBEDDED:
            data["defaults"][part]["model"] = None
    data["defaults"]["detector"]["interval"] = INTERVAL
    data["defaults"]["tracker"] = {"max_missing_s": MAX_MISSING_S}
    return data


def soak(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Every row, and what they amount to."""
    chance = random.Random(args.seed)
    clip = None if args.gstreamer else folder / "people.mp4"
    if clip is not None:
        picture = next(islice(demo.frames(), 30, None))
        write_clip(clip, iter([picture] * 5), size=demo.SIZE, fps=demo.FPS)
    models = Models(Path(args.det), Path(args.pose), reid=Path(), deep=Path())
    if args.gstreamer:
        models = make_models(folder)
    told: dict[str, Any] = {}
    camera = Camera(clip, chance)
    with Pauses() as pauses, camera.sender:
        if args.daemon:
            other = Camera(clip, chance).sender
            trying = of_daemon((camera.sender, other), folder, models, pauses, told)
        else:
            trying = local(camera.sender.address, models, pauses, told)
        rows = []
        with trying as trial:
            trial.wait(lambda: trial.stream.frames > 10, 300)
            people = trial.stream.settle()
            for number in range(args.faults):
                kinds = camera.kinds
                fault = kinds[number] if number < len(kinds) else chance.choice(kinds)
                rows.append(trial.one(fault, camera))
                print(number + 1, rows[-1], file=sys.stderr, flush=True)
        if args.daemon:
            other.kill()
    return {
        "seed": args.seed,
        "faults": len(rows),
        "people": people,
        "ids": len(trial.stream.seen),
        "frames": trial.stream.frames,
        "promised_s": PROMISED_S,
        "wrong": trial.stream.wrong,
        "memory_growth_mib": growth_mib(rows),
        "pauses_s": pauses.lengths_s,
        **told,
        "rows": rows,
    }


def broken(found: dict[str, Any]) -> list[str]:
    """The promises that were not kept."""
    judged, told = [row for row in found["rows"] if not row["pauses_s"]], list(found["wrong"])
    late = [row for row in judged if row["back_s"] is None or row["back_s"] > PROMISED_S]
    told += [f"back too late: {row}" for row in late]
    told += left(found)
    return told + (broken_by_daemon(found, judged) if "neighbour" in found else [])


def broken_by_daemon(found: dict[str, Any], judged: list[dict[str, Any]]) -> list[str]:
    """The promises of a daemon's streams that were not kept."""
    told = [f"logged: {line}" for line in found["log_errors"]] + found["neighbour"]["wrong"]
    if found["at_first"][:2] != ["connecting", "running"]:
        told.append(f"before the first fault it was {found['at_first']}")
    if found["ended_by_itself"] or found["exit_status"]:
        told.append(f"the daemon ended with {found['exit_status']}")
    for row in judged:
        quiet = row["fault"] in ("kill", "freeze", "silence")
        if quiet and row["away_s"] > SETTINGS.stall_s + 1.5 and "stalled" not in row["states"]:
            told.append(f"never stalled: {row}")
        # Attempts, after which it is looked at, are `longest_backoff_s` apart at most.
        longest_s = RESTART_S + 1.25 * SETTINGS.longest_backoff_s
        if row["fault"] == "kill" and row["away_s"] > longest_s and "failed" not in row["states"]:
            told.append(f"never failed: {row}")
        other = row["neighbour"]
        if other["states"] != ["running"] or other["reconnects"] or not other["ids_kept"]:
            told.append(f"the neighbour was disturbed: {row}")
    if found["neighbour"]["share"] < UNDISTURBED:
        told.append(f"the neighbour had {found['neighbour']['share']:.0%} of its results")
    return told


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--daemon", action="store_true", help="of a stream of posetrack serve")
    parser.add_argument("--gstreamer", action="store_true", help="GStreamer's server")
    parser.add_argument("--det", default=EMBEDDED)
    parser.add_argument("--pose", default=EMBEDDED)
    parser.add_argument("--json", type=Path, help="default: live_faults.json, daemon_faults.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), args)
    problems = broken(found)
    show(found)
    for problem in problems:
        print(problem)
    name = "daemon_faults.json" if args.daemon else "live_faults.json"
    report.write(args.json or report.RESULTS / name, {"broken": problems, **found})
    return 1 if problems else 0


def show(found: dict[str, Any]) -> None:
    """A row a kind of fault."""
    rows, table = found["rows"], []
    for fault, count in sorted(Counter(row["fault"] for row in rows).items()):
        mine = [row for row in rows if row["fault"] == fault]
        times = [row["back_s"] for row in mine if row["back_s"] is not None]
        figures = [f"{np.median(times):.2f}", f"{max(times):.2f}"] if times else ["-", "-"]
        kept = sum(row["ids_kept"] for row in mine)
        table.append([fault, str(count), *figures, f"{kept} of {count}"])
    columns = ["fault", "times", "back after s, median", "most", "everybody kept the id"]
    report.print_table(f"{len(rows)} faults, {PROMISED_S:g} s promised", columns, table)
    if "neighbour" in found:
        print(f"neighbour: {found['neighbour']['share']:.0%} of its results during faults")


if __name__ == "__main__":
    sys.exit(main())
