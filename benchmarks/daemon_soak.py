"""Does the daemon hold what it holds: 200,000 frames through `posetrack serve`, with listeners.

    python benchmarks/daemon_soak.py
    python benchmarks/daemon_soak.py --frames 2000 --embedded 0 --json soak.json

Real: the daemon (the command, in a process of its own), its web server, pipelines, batches,
tracker, recordings and sources; every frame that counts is decoded, worked on and published.
Accelerated: the sources send more frames a second than a camera does, so that hours pass in
minutes: files whose time stamps run at `--fps`, and one RTSP stream over loopback at half of it.
Small: only the first `--embedded` streams run the pair that ships, on people at a quarter of
`--fps`; the others run graphs of a constant answer (one person), so that the work of the daemon is
most of it. What cannot be done in time is dropped, as of any live source, and does not count.

At every place (a hundredth of the frames, a hundred at least) one stream is recorded for half of
the way, another is opened anew, one client goes and another comes. All the time a WebSocket client
for each stream and one for all events read, four never read, one reads SSE, one the preview, one
/metrics. Memory, threads and open files are the daemon's, noted while nothing is recorded.

The exit status is 1 where memory is not flat (the second half grows by `soak.FLAT_MIB` or more by
the least-squares line), where threads or files are left once all listeners are gone, where the
daemon ended by itself or logged an error, or did not drain within ten seconds. Time in which this
process was not let run is told and counts for nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import report
from pauses import Pauses
from soak import FLAT_MIB, PLACES, growth_mib, held, left
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from posetrack import demo
from posetrack.stage import write_clip

sys.path.insert(0, str(report.REPOSITORY / "tests"))
import clips
from daemons import RunningDaemon, running, settings, wait_until
from senders import Sender
from tiny_models import make_models

NEVER_READ = 4
LEAST_FRAMES = 100
CUT = (OSError, WebSocketException, httpx.HTTPError)
"""What ends a connection, also where a pause of everything ran into the time limits of a side."""
_POLL_S = 0.1
_PATIENCE_S = 600.0
_SILENCE_S = 10.0
_DRAIN_S = 10.0


def streams(folder: Path, camera: str, number: int, embedded: int, fps: int) -> list[Any]:
    """So many streams: files, the last by RTSP; the first `embedded` run the pair that ships."""
    people, square = folder / "people.mp4", folder / "square.mp4"
    if embedded:
        write_clip(people, demo.frames(), size=demo.SIZE, fps=fps // 4)
    clips.make_clip(square, frames=250, fps=fps)
    made = []
    for index in range(number):
        stream: dict[str, Any] = {"id": f"s{index}", "url": str(square)}
        if index == number - 1:
            stream["url"] = camera
        if index < embedded:
            stream |= {"url": str(people), "detector": {"model": None}, "pose": {"model": None}}
        made.append(stream)
    return made


class Listeners:
    """Clients of every kind, each in a thread, until the block ends.

    Attributes:
        heard: what each of those who read got, by kind.
        again: connections that ended and were made again.
    """

    def __init__(self, daemon: RunningDaemon, names: list[str]) -> None:
        self.heard = {"websocket": 0, "events": 0, "sse": 0, "preview": 0, "metrics": 0}
        self.again = 0
        self._daemon = daemon
        self._over = threading.Event()
        self._silent: list[ClientConnection] = []
        self._next = cycle(names)
        first = f"/v1/streams/{names[0]}"
        self._threads = [
            *(self._thread(self._websocket, "websocket", f"/v1/streams/{n}/poses") for n in names),
            self._thread(self._websocket, "events", "/v1/events"),
            self._thread(self._lines, "sse", f"/v1/streams/{names[-1]}/poses?events=true&raw=true"),
            self._thread(self._lines, "preview", f"{first}/preview.mjpg"),
            self._thread(self._scrape, "metrics", "/metrics"),
        ]

    def change_one(self) -> None:
        """One of those that never read goes without a farewell, and another comes."""
        if self._silent:
            self._silent.pop(0).socket.close()
        for _ in range(NEVER_READ - len(self._silent)):
            url = self._url(f"/v1/streams/{next(self._next)}/poses")
            with suppress(*CUT):
                self._silent.append(connect(url, ping_interval=None))

    def __enter__(self) -> Listeners:
        for thread in self._threads:
            thread.start()
        self.change_one()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for client in self._silent:
            client.socket.close()

    def _thread(self, read: Callable[..., None], kind: str, path: str) -> threading.Thread:
        def again_and_again() -> None:
            while not self._over.is_set():
                with suppress(*CUT):
                    read(kind, path)
                if not self._over.wait(0.2):
                    self.again += 1

        return threading.Thread(target=again_and_again, daemon=True)

    def _url(self, path: str) -> str:
        return self._daemon.address.replace("http", "ws", 1) + path

    def _websocket(self, kind: str, path: str) -> None:
        with connect(self._url(path)) as client:
            while not self._over.is_set():
                with suppress(TimeoutError):
                    client.recv(0.5)
                    self.heard[kind] += 1

    def _lines(self, kind: str, path: str) -> None:
        url = self._daemon.address + path
        with httpx.stream("GET", url, timeout=_SILENCE_S) as answer:
            for _ in answer.raise_for_status().iter_raw():
                self.heard[kind] += 1
                if self._over.is_set():
                    return

    def _scrape(self, kind: str, path: str) -> None:
        with httpx.Client(timeout=_SILENCE_S) as client:
            while not self._over.wait(1.0):
                client.get(self._daemon.address + path).raise_for_status()
                self.heard[kind] += 1


def ask(daemon: RunningDaemon, method: str, path: str, **more: Any) -> httpx.Response:
    """What the daemon answers; asked again where a pause of everything cut the connection."""
    for _ in range(5):
        with suppress(httpx.TransportError):
            answer = daemon.http.request(method, path, **more)
            # Asked twice, a recording is what it shall be already.
            return answer if answer.status_code == 409 else answer.raise_for_status()
        time.sleep(0.5)
    log = daemon.log.read_text()
    raise RuntimeError(f"the daemon does not answer; its log ends: {log[-2000:]}")


def figures(daemon: RunningDaemon) -> dict[str, int]:
    """Frames published and lost by all streams, and what was lost to listeners."""
    shown = ask(daemon, "GET", "/v1/streams").json()["streams"]
    text = ask(daemon, "GET", "/metrics").text.splitlines()
    counted = [line.rpartition(" ") for line in text if line.startswith("posetrack_client_")]
    return {
        "frame": sum(each["frames"] for each in shown),
        "late": sum(each["dropped"]["late"] for each in shown),
        "source": sum(each["dropped"]["source"] for each in shown),
        "reopened": sum(each["reconnects"] for each in shown),
        "unread": int(sum(float(n) for name, _, n in counted if "dropped" in name)),
        "cut": int(sum(float(n) for name, _, n in counted if "cut" in name)),
    }


def published(daemon: RunningDaemon) -> int:
    """Frames of all streams so far."""
    return sum(each["frames"] for each in ask(daemon, "GET", "/v1/streams").json()["streams"])


@contextmanager
def recorded(daemon: RunningDaemon, name: str, *, drawn: bool) -> Iterator[None]:
    """A recording of a stream, and its files deleted afterwards."""
    path = f"/v1/streams/{name}/recordings"
    ask(daemon, "POST", path, json={"video": True, "records": True, "drawn": drawn})
    yield
    ask(daemon, "POST", f"{path}/stop", timeout=60)
    for file in ask(daemon, "GET", path).json()["files"]:
        ask(daemon, "DELETE", f"{path}/{file['name']}")


def walk(
    daemon: RunningDaemon, names: list[str], frames: int, pauses: Pauses, listeners: Listeners
) -> list[dict[str, Any]]:
    """A row a place, until so many frames are published."""
    every = max(LEAST_FRAMES, frames // PLACES)
    start, begin, rows = published(daemon), pauses.clock_s(), []

    def until(frame: float) -> None:
        while published(daemon) - start < frame:
            time.sleep(_POLL_S)

    for place in range(-(-frames // every)):
        with recorded(daemon, names[place % len(names)], drawn=bool(place % 2)):
            until((place + 0.5) * every)
        turned = {"source": {"flip": not (place // len(names)) % 2}}
        ask(daemon, "PATCH", f"/v1/streams/{names[(place + 1) % len(names)]}", json=turned)
        listeners.change_one()
        until((place + 1) * every)
        row = figures(daemon) | held(daemon.process.pid)
        row["frame"] -= start
        rows.append(row | {"s": pauses.clock_s() - begin, "again": listeners.again})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def soak(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The rows of a run and what they amount to."""
    models = make_models(folder)
    camera = ("--fps", str(args.fps // 2))
    with Pauses() as pauses, Sender(*camera) as sender:
        made = streams(folder, sender.address, args.streams, args.embedded, args.fps)
        names = [each["id"] for each in made]
        data = settings(models, folder / "media", 0, streams=made)
        data["defaults"]["watch"]["stall_s"] = 5.0
        with running(data, folder / "daemon") as daemon:
            for name in names:
                wait_until(lambda n=name: daemon.stream(n)["state"] == "running", name, _PATIENCE_S)
            process = daemon.process.pid
            before = held(process)
            with Listeners(daemon, names) as listeners:
                rows = walk(daemon, names, args.frames, pauses, listeners)
            after = given_back(daemon, before)
            began = pauses.clock_s()
            daemon.stop(patience_s=_PATIENCE_S)
            ended_s = pauses.clock_s() - began
            status = daemon.process.returncode
            log = daemon.log.read_text().splitlines()
    return {
        "streams": made_of(made),
        "fps": args.fps,
        "frames": rows[-1]["frame"],
        "lasted_s": rows[-1]["s"],
        "memory_growth_mib": growth_mib(rows),
        "heard": listeners.heard,
        "before": before,
        "after": after,
        "ended_s": ended_s,
        "exit_status": status,
        "log_errors": [line for line in log if " error " in line or "Traceback" in line],
        "pauses_s": pauses.lengths_s,
        "rows": rows,
    }


def made_of(streams: list[Any]) -> list[str]:
    """What each stream was, without paths and ports."""
    kind = {True: "the embedded pair", False: "small graphs"}
    return [
        f"{each['url'].partition('://')[0] if '://' in each['url'] else 'file'}, "
        f"{kind['detector' in each]}"
        for each in streams
    ]


def given_back(daemon: RunningDaemon, before: dict[str, float]) -> dict[str, float]:
    """What the daemon holds without listeners, once it is no more than before, or after a while."""

    def is_back() -> bool:
        ask(daemon, "GET", "/v1/streams")  # idle threads of requests end at the next request
        now = held(daemon.process.pid)
        return all(now[what] <= before[what] for what in ("threads", "files"))

    with suppress(AssertionError):
        wait_until(is_back, "threads and files are given back", 60)
    return held(daemon.process.pid)


def broken(found: dict[str, Any]) -> list[str]:
    """What should not be."""
    told = [f"logged: {line}" for line in found["log_errors"]]
    if found["memory_growth_mib"] >= FLAT_MIB:
        told.append(f"memory grew by {found['memory_growth_mib']:.1f} MiB over the second half")
    told += left(found)
    if found["exit_status"] or found["ended_s"] > _DRAIN_S:
        told.append(f"ended with {found['exit_status']} after {found['ended_s']:.1f} s")
    told += [f"nothing heard by {kind}" for kind, number in found["heard"].items() if not number]
    return told


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=200_000, help="published in all")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--embedded", type=int, default=1, help="streams with the pair that ships")
    parser.add_argument("--fps", type=int, default=100, help="of the files; half of it by RTSP")
    parser.add_argument("--json", type=Path, default=report.RESULTS / "daemon_soak.json")
    args = parser.parse_args()
    if args.frames < 10 * LEAST_FRAMES or not 0 <= args.embedded < args.streams:
        parser.error(f"--frames {10 * LEAST_FRAMES} or more, --embedded below --streams")
    with tempfile.TemporaryDirectory() as name:
        found = soak(Path(name), args)
    problems = broken(found)
    report.write(args.json, {"broken": problems, **found})
    keys = ("frames", "lasted_s", "memory_growth_mib", "ended_s")
    report.print_table("daemon soak", keys, [[f"{found[key]:.4g}" for key in keys]])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
