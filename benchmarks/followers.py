"""Who watches a stream that fails: the order of its frames, and who is where in them.

`LocalFollower` reads a source and tracks in its picture; `DaemonFollower` reads what a daemon
publishes of one of its streams.
"""

from __future__ import annotations

import json
import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter, sleep, time_ns
from typing import Any

import httpx
import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from posetrack.media.live import LiveSource
from posetrack.perception import Perception
from posetrack.types import Floats


@dataclass(frozen=True, slots=True)
class Sight:
    """A frame, as far as it matters here: `captured_at` by `perf_counter`, (N, 4) `boxes`."""

    index: int
    pts_s: float
    captured_at: float
    ids: list[int]
    boxes: Floats


class Follower(threading.Thread):
    """Takes every frame it can get and looks at the people in it.

    Attributes:
        newest: the last frame.
        frames: how many came.
        seen: every id so far.
        wrong: what must not be: time or index that ran back, an id at another person's place, a
            new id that is not above all before.
        silent_s: the longest time between two frames since it was last set to 0.
        states: each that was seen of a daemon's stream since it was last set to [].
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.newest: Sight | None = None
        self.frames, self.silent_s = 0, 0.0
        self.wrong: list[str] = []
        self.states: list[str] = []
        self.seen: set[int] = set()
        self._homes: dict[int, Any] = {}

    @abstractmethod
    def sights(self) -> Iterator[Sight]:
        """Frames until the end."""

    @property
    @abstractmethod
    def state(self) -> str:
        """What the stream is doing."""

    @property
    @abstractmethod
    def reconnects(self) -> int:
        """How often it was opened again."""

    def run(self) -> None:
        """Until there are no more."""
        for sight in self.sights():
            before = self.newest
            if before is not None:
                if not (sight.index > before.index and sight.pts_s > before.pts_s):
                    self.wrong.append(f"{sight} after {before}")
                self.silent_s = max(self.silent_s, sight.captured_at - before.captured_at)
            self._check(sight)
            self.newest, self.frames = sight, self.frames + 1

    def settle(self) -> int:
        """Note where everybody is, which is where they stay: the picture stands still."""
        assert self.newest is not None
        centres = (self.newest.boxes[:, :2] + self.newest.boxes[:, 2:]) / 2
        self._homes = dict(zip(self.newest.ids, centres, strict=True))
        return len(centres)

    def _check(self, sight: Sight) -> None:
        for number, box in zip(sight.ids, sight.boxes, strict=True):
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
        return frozenset(self.newest.ids if self.newest else ())


class LocalFollower(Follower):
    """Of a source in this process."""

    def __init__(self, source: LiveSource, perception: Perception) -> None:
        super().__init__()
        self._source, self._perception = source, perception

    def sights(self) -> Iterator[Sight]:
        """Until the source ends."""
        for frame in self._source:
            tracks = self._perception(frame.image, frame.pts_s).tracks
            yield Sight(
                frame.index, frame.pts_s, frame.captured_at, tracks.ids.tolist(), tracks.poses.boxes
            )

    @property
    def state(self) -> str:
        """What the source is doing."""
        return self._source.state

    @property
    def reconnects(self) -> int:
        """How often the source was opened again."""
        return self._source.status.reconnects


class DaemonFollower(Follower):
    """Of a stream of a daemon.

    Attributes:
        shown: the newest answer of `/v1/streams`.
        again: WebSockets that were cut and made again, as a pause of everything does.
    """

    def __init__(self, address: str, name: str) -> None:
        super().__init__()
        self.shown: dict[str, Any] = {"state": "connecting", "reconnects": 0, "dropped": {}}
        self.again = 0
        self._path = f"/v1/streams/{name}"
        self._address, self._over = address, threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to listen, and to ask for the state."""
        self._watching.start()
        super().start()

    def end(self) -> None:
        """Go away."""
        self._over.set()
        for thread in (self, self._watching):
            thread.join()

    def sights(self) -> Iterator[Sight]:
        """Until it is told to end."""
        url = self._address.replace("http", "ws", 1) + self._path + "/poses"
        while not self._over.is_set():
            with suppress(OSError, WebSocketException), connect(url) as client:
                while not self._over.is_set():
                    with suppress(TimeoutError):
                        yield _sight(json.loads(client.recv(0.2)))
            if not self._over.wait(0.1):
                self.again += 1

    @property
    def state(self) -> str:
        """What the daemon says it is doing."""
        return str(self.shown["state"])

    @property
    def reconnects(self) -> int:
        """What the daemon counted."""
        return int(self.shown["reconnects"])

    def _watch(self) -> None:
        with httpx.Client(base_url=self._address, timeout=10) as http:
            while not self._over.is_set():
                with suppress(httpx.HTTPError):
                    self.shown = http.get(self._path).raise_for_status().json()
                    if self.states[-1:] != [self.state]:
                        self.states.append(self.state)
                sleep(0.05)


def _sight(message: dict[str, Any]) -> Sight:
    """Of a message; its Unix time told by this process's clock."""
    old_s = (time_ns() - message["capture_ns"]) / 1e9
    people = message["people"]
    return Sight(
        message["frame"],
        message["pts_ns"] / 1e9,
        perf_counter() - old_s,
        [person["id"] for person in people],
        np.array([person["bbox"] for person in people], np.float32).reshape(-1, 4),
    )
