"""The parts of the daemon put together, and their life from the first to the last."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from posetrack.serve.addresses import AddressRules
from posetrack.serve.hub import Hub
from posetrack.serve.logs import log
from posetrack.serve.metrics import Metrics
from posetrack.serve.models import Models
from posetrack.serve.recordings import Recordings
from posetrack.serve.security import Doors, Guard, Rate, read_token
from posetrack.serve.settings import ServeConfig
from posetrack.serve.sinks.runner import Sinks
from posetrack.serve.supervisor import Supervisor

STREAMS_S, RECORDINGS_S, SINKS_S = 4.0, 2.5, 1.5
"""How long each part may take to end; with the web server's second they stay under ten."""

_FIXED = ("listen", "security", "limits", "media", "backend", "batching", "log", "sinks")
CLIENT_KINDS = ("websocket", "sse", "mjpeg")


@dataclass
class Daemon:
    """Everything but the web server.

    Attributes:
        config: as it was started; `supervisor.config` is what a reload changed it to.
        ending: no longer ready, because it is stopping.
    """

    config: ServeConfig
    guard: Guard
    doors: Doors
    rate: Rate
    metrics: Metrics
    hub: Hub
    models: Models
    supervisor: Supervisor
    recordings: Recordings
    sinks: Sinks
    began: float = field(default_factory=time.time)
    ending: bool = False

    @classmethod
    def of(cls, config: ServeConfig) -> Self:
        """A daemon that has not begun.

        Raises:
            ConfigError: no token where one is needed, or a setting that cannot be used.
        """
        token = read_token(config, os.environ)
        metrics = Metrics()
        hub = Hub(lambda name: metrics.client_dropped.labels(name).inc())
        models = Models(config.backend, config.batching, metrics.count_batch, metrics.show_backend)
        metrics.queue.set_function(models.waiting)
        metrics.show_clients(hub.counts, CLIENT_KINDS)
        root = None if config.media.root is None else Path(config.media.root)
        security = config.security
        rules = AddressRules(security.schemes, root, security.loopback_sources)
        return cls(
            config,
            Guard(token),
            Doors.of(config.listen, has_token=token is not None),
            Rate(config.limits.requests_per_s, config.limits.burst),
            metrics,
            hub,
            models,
            Supervisor(config, models, hub, metrics, rules),
            Recordings(config.media, hub, metrics),
            Sinks(config.sinks, hub, metrics),
        )

    def start(self) -> None:
        """Begin to read the streams of the file."""
        self.sinks.start()
        self.supervisor.start()

    def reload(self, config: ServeConfig) -> None:
        """Take the streams and defaults of another file; the rest needs a restart, and says so."""
        for name in _FIXED:
            if getattr(config, name) != getattr(self.config, name):
                log.warning("%s has changed: that needs a restart", name)
        self.supervisor.reload(config)
        log.info("configuration read again: %d streams", len(self.supervisor.all()))

    def stop(self) -> None:
        """Finish what was begun, within ten seconds."""
        self.ending = True
        if late := self.supervisor.stop(STREAMS_S):
            log.error("streams that did not end in time: %s", ", ".join(late))
        self.recordings.stop_all(RECORDINGS_S)
        self.sinks.stop(SINKS_S)
        self.hub.close()
        if not late:
            self.models.close()
