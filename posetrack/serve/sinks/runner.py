"""Sinks in threads of their own: what one cannot take waits, then goes, and holds up nobody."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from threading import Event, Thread
from typing import Any, Protocol

from posetrack.errors import ConfigError, SinkError
from posetrack.serve.hub import Hub, Item, Kind
from posetrack.serve.logs import log
from posetrack.serve.metrics import Metrics
from posetrack.serve.redaction import redacted
from posetrack.serve.sinks.settings import SinkSettings

_LONGEST_PAUSE_S = 30.0
_TICK_S = 0.2

KINDS = {
    "webhook": "posetrack.serve.sinks.webhook:Webhook",
    "jsonl": "posetrack.serve.sinks.files:JsonLines",
    "parquet": "posetrack.serve.sinks.parquet:Parquet",
    "mqtt": "posetrack.serve.sinks.mqtt:Mqtt",
    "redis": "posetrack.serve.sinks.redis:Redis",
    "udp": "posetrack.serve.sinks.udp:Udp",
    "osc": "posetrack.serve.sinks.osc:Osc",
    "vmc": "posetrack.serve.sinks.vmc:Vmc",
}
"""Kind -> ``module:Class``, imported when it is used: most need a package of their own."""


class MessageSink(Protocol):
    """Where messages go. All methods are called by one thread.

    Attributes:
        kinds: what it wants to get.
    """

    kinds: Sequence[Kind]

    def open(self) -> None:
        """Connect. Raises SinkError; it is then tried again later."""
        ...

    def send(self, items: Sequence[Item]) -> None:
        """Take some, in order. Raises SinkError: they are lost, and it is opened anew."""
        ...

    def tick(self) -> None:
        """Called now and then, whether anything came or not. Raises as `send`."""
        ...

    def close(self) -> None:
        """Finish what was begun and disconnect; never raises."""
        ...


def make_sink(settings: SinkSettings) -> MessageSink:
    """The sink of some settings.

    Raises:
        ConfigError: its package is not installed, or a setting cannot be used.
    """
    module, _, name = KINDS[settings.kind].partition(":")
    try:
        made: MessageSink = getattr(import_module(module), name)(settings)
    except ImportError as error:
        raise ConfigError(
            f"sink {settings.kind} asked, {error.name} is not installed: "
            f"pip install posetrack[{settings.kind}]"
        ) from error
    return made


class SinkRunner:
    """One sink and its thread."""

    def __init__(self, settings: SinkSettings, hub: Hub, metrics: Metrics, number: int) -> None:
        self.name = f"{settings.kind}-{number}"
        self._settings, self._hub = settings, hub
        self._sink = make_sink(settings)
        self._sent = metrics.sink_sent.labels(self.name)
        self._failures = metrics.sink_failures.labels(self.name)
        self._worked = False
        self._listening = ExitStack()
        self._stop = Event()
        self._thread = Thread(target=self._main, name=f"sink-{self.name}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread; nothing that is published after this is missed."""
        chosen = self._settings
        self._ring = self._listening.enter_context(
            self._hub.subscription(
                self.name, self._sink.kinds, chosen.streams, capacity=chosen.queue
            )
        ).ring
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, and end; `join` waits for it."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended within so long."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _main(self) -> None:
        with self._listening:
            failures = 0
            while True:
                try:
                    self._sink.open()
                    self._serve()
                except SinkError as error:
                    failures = 0 if self._worked else failures + 1
                    self._failures.inc()
                    log.warning("sink %s: %s", self.name, redacted(str(error)))
                except Exception as error:  # noqa: BLE001 - the top of a thread that must go on
                    failures += 1
                    self._failures.inc()
                    log.error("sink %s: %s: %s", self.name, type(error).__name__, error)
                self._close()
                if self._stop.is_set():
                    return
                pause_s = min(2.0 ** min(failures, 10) / 2, _LONGEST_PAUSE_S)
                self._stop.wait(pause_s * random.uniform(0.75, 1.25))

    def _close(self) -> None:
        try:
            self._sink.close()
        except Exception:  # noqa: BLE001 - the top of a thread that must go on
            log.exception("sink %s cannot be closed", self.name)

    def _serve(self) -> None:
        """Send until the stop; the last of what waits goes too."""
        self._worked = False
        ring = self._ring
        while True:
            first = ring.take(_TICK_S)
            items = [] if first is None else [first]
            while (item := ring.take()) is not None:
                items.append(item)
            if items:
                self._sink.send(items)
                self._sent.inc(len(items))
                self._worked = True
            self._sink.tick()
            if self._stop.is_set() and not len(ring):
                return


class Sinks:
    """Every sink of the file."""

    def __init__(self, settings: Sequence[SinkSettings], hub: Hub, metrics: Metrics) -> None:
        self._runners = [
            SinkRunner(each, hub, metrics, number) for number, each in enumerate(settings)
        ]

    def start(self) -> None:
        """Begin all."""
        for runner in self._runners:
            runner.start()

    def stop(self, deadline_s: float) -> None:
        """End all within so long."""
        for runner in self._runners:
            runner.stop()
        until = time.monotonic() + deadline_s
        for runner in self._runners:
            if not runner.join(max(0.0, until - time.monotonic())):
                log.error("sink %s did not end in time", runner.name)


def content_kinds(*, poses: bool, events: bool) -> list[Kind]:
    """What a sink listens to."""
    return [*(["poses"] if poses else []), *(["events"] if events else []), "status"]  # type: ignore[list-item]


def failure(what: str, error: Any) -> SinkError:
    """A SinkError of one line."""
    return SinkError(f"{what}: {redacted(str(error)) or type(error).__name__}")
