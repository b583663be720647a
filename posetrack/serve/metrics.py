"""The daemon's figures for Prometheus; streams are labels, people and addresses never."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from posetrack.backends import Backend
from posetrack.serve.state import STATES

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.033, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
REASONS = ("late", "source", "recording")
"""Why a frame was lost: it was too old before its turn; the source had a newer one; no room."""


class Metrics:
    """Every figure, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series of each counter, that nobody asks for
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"posetrack_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"posetrack_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"posetrack_{name}", text, labels, buckets=_SECONDS, registry=registry)

        self.frames = counter("frames", "Frames published.", "stream")
        self.dropped = counter(
            "frames_dropped", "Frames lost, by reason: late, source, recording.", "stream", "reason"
        )
        self.stage = histogram("stage_seconds", "Time a stage took for a frame.", "stream", "stage")
        self.latency = histogram("latency_seconds", "From capture to publication.", "stream")
        self.people = gauge("people_gauge", "People in the newest frame.", "stream")
        self.tracks = counter("tracks", "People who got an id.", "stream")
        self.reconnects = counter("reconnects", "How often a source was opened again.", "stream")
        self.state = gauge("stream_state", "1 for the state a stream is in.", "stream", "state")
        self.queue = gauge("queue_depth", "Frames that wait for the pose network.")
        self.batches = counter("pose_batches", "Runs of the pose networks.")
        self.batch_frames = counter("pose_batch_frames", "Frames in those runs.")
        self.batch_people = counter("pose_batch_people", "People in those runs.")
        self.backend = gauge("backend_info", "What runs the networks.", "ep", "precision")
        self.clients = gauge("clients", "Live connections, by kind.", "kind")
        self.client_dropped = counter("client_dropped", "Items lost to slow listeners.", "kind")
        self.client_cut = counter("client_cut", "Clients that took nothing for too long.", "kind")
        self.requests = counter("requests", "Requests answered, by status.", "status")
        self.sink_sent = counter("sink_sent", "Messages a sink took.", "sink")
        self.sink_failures = counter("sink_failures", "Attempts of a sink that failed.", "sink")

    def begin_stream(self, stream: str) -> None:
        """Let a stream's figures be there from the start, at zero."""
        self.frames.labels(stream)
        for reason in REASONS:
            self.dropped.labels(stream, reason)
        for each in (self.latency, self.people, self.tracks, self.reconnects):
            each.labels(stream)

    def show_state(self, stream: str, state: str) -> None:
        """Which of the states a stream is in."""
        for each in STATES:
            self.state.labels(stream, each).set(each == state)

    def forget_stream(self, stream: str) -> None:
        """Drop the figures of a stream that is gone."""
        for each in (
            *(self.frames, self.dropped, self.stage, self.latency, self.people, self.tracks),
            *(self.reconnects, self.state),
        ):
            each.remove_by_labels({"stream": stream})

    def show_backend(self, backend: Backend) -> None:
        """That something runs on it."""
        self.backend.labels(backend.kind, backend.precision).set(1)

    def count_batch(self, frames: int, people: int) -> None:
        """One run of a pose network."""
        self.batches.inc()
        self.batch_frames.inc(frames)
        self.batch_people.inc(people)

    def show_clients(self, counts: Callable[[], dict[str, int]], kinds: Iterable[str]) -> None:
        """Ask `counts` whenever the figures are read."""
        for kind in kinds:
            self.clients.labels(kind).set_function(partial(_count, counts, kind))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


def _count(counts: Callable[[], dict[str, int]], kind: str) -> int:
    return counts().get(kind, 0)
