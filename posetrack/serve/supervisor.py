"""All streams of the daemon: made, changed, watched and ended, each on its own."""

from __future__ import annotations

import time
from threading import Event, RLock, Thread
from typing import Any

from posetrack.errors import ConfigError
from posetrack.serve.addresses import AddressRules
from posetrack.serve.apirules import check_api
from posetrack.serve.hub import Hub
from posetrack.serve.logs import log
from posetrack.serve.metrics import Metrics
from posetrack.serve.models import Models
from posetrack.serve.settings import ServeConfig, StreamSettings
from posetrack.serve.stream import Stream, Surroundings

_WATCH_S = 0.25


class NoStream(ConfigError, KeyError):
    """No stream of that name."""

    __str__ = ConfigError.__str__


class Taken(ConfigError):
    """The name is in use, or there is no room for another stream."""


class Supervisor:
    """Owns the streams.

    Args:
        config: the file's streams, and the limits.
        models: the networks.
        hub: where frames go.
        metrics: what is counted.
        rules: which addresses the API may name.
    """

    def __init__(
        self, config: ServeConfig, models: Models, hub: Hub, metrics: Metrics, rules: AddressRules
    ) -> None:
        self.config, self.models, self.rules = config, models, rules
        self._around = Surroundings(models, hub, metrics, rules)
        self._metrics = metrics
        self._streams: dict[str, Stream] = {}
        self._lock = RLock()
        self._ended = Event()
        self._watcher = Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begin with the streams of the file."""
        for settings in self.config.streams:
            self._begin(self.config.with_defaults(settings), from_api=False)
        self._watcher.start()

    def all(self) -> list[Stream]:
        """Every stream, in the order they were added."""
        with self._lock:
            return list(self._streams.values())

    def get(self, name: str) -> Stream:
        """One stream. Raises NoStream."""
        with self._lock:
            found = self._streams.get(name)
        if found is None:
            raise NoStream(f"there is no stream {name!r}: see GET /v1/streams")
        return found

    def add(self, settings: StreamSettings) -> Stream:
        """A stream more, named by the API.

        Raises:
            Taken: of that name there is one, or there are too many.
            ConfigError: what the API may not ask.
        """
        settings = self.config.with_defaults(settings)
        check_api(settings, None, self.config, self.models, self.rules)
        return self._begin(settings, from_api=True)

    def change(self, name: str, patch: dict[str, Any]) -> tuple[Stream, bool]:
        """A stream with some settings changed, and whether it is opened anew for them.

        Raises:
            NoStream: there is none. ConfigError: what the API may not ask, or does not fit.
            pydantic.ValidationError: what is no setting.
        """
        with self._lock:
            stream = self.get(name)
            settings = stream.settings.changed(patch)
            if settings.id != name:
                raise ConfigError("the id of a stream cannot change: add another stream")
            check_api(settings, stream.settings, self.config, self.models, self.rules)
            if settings.url != stream.settings.url:
                stream.from_api = True
            return stream, stream.change(settings)

    def remove(self, name: str, *, wait_s: float = 5.0) -> None:
        """End a stream and forget it. Raises NoStream."""
        with self._lock:
            stream = self.get(name)
            del self._streams[name]
        stream.stop()
        stream.join(wait_s)
        with self._lock:
            if name not in self._streams:  # it may have come back meanwhile
                self._metrics.forget_stream(name)
        log.info("removed", extra={"stream": name})

    def reload(self, config: ServeConfig) -> None:
        """Take another file: streams come, go and change with it.

        What the API changed of a stream stays where the file says of it what it said before;
        streams that the API added stay.
        """
        old = {s.id: self.config.with_defaults(s) for s in self.config.streams}
        new = {s.id: config.with_defaults(s) for s in config.streams}
        added = {stream.id for stream in self.all() if stream.from_api}
        if len(added | new.keys()) > (limit := config.limits.streams):
            raise Taken(f"with those of the API there are more than {limit} streams: remove some")
        self.config = config
        for name in old.keys() - new.keys():
            if name in self._streams and not self._streams[name].from_api:
                self.remove(name)
        for name, settings in new.items():
            stream = self._streams.get(name)
            if stream is None:
                self._begin(settings, from_api=False)
            elif settings != old.get(name):
                stream.from_api = False
                stream.change(settings)

    def stop(self, deadline_s: float) -> list[str]:
        """End every stream within so long; the names of those that did not."""
        self._ended.set()
        streams = self.all()
        for stream in streams:
            stream.stop()
        until = time.monotonic() + deadline_s
        return [s.id for s in streams if not s.join(max(0.0, until - time.monotonic()))]

    def is_ready(self) -> bool:
        """Whether a stream shows fresh frames, or there is none to wait for."""
        streams = [stream for stream in self.all() if stream.settings.enabled]
        return not streams or any(stream.state == "running" for stream in streams)

    def _begin(self, settings: StreamSettings, *, from_api: bool) -> Stream:
        with self._lock:
            if settings.id in self._streams:
                raise Taken(
                    f"there is a stream {settings.id!r} already: change it, or name another"
                )
            limit = self.config.limits.streams
            if len(self._streams) >= limit:
                raise Taken(f"there are {limit} streams, which is the limit: remove one")
            stream = Stream(settings, self._around, from_api=from_api)
            self._streams[settings.id] = stream
            stream.start()
            return stream

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH_S):
            for stream in self.all():
                stream.watch(time.perf_counter())
