"""What a stream is doing, and how well."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, TypeAlias

from posetrack.pipeline import Samples
from posetrack.serve.message import Published

State: TypeAlias = Literal["connecting", "running", "stalled", "failed", "stopped"]
"""connecting: being opened. running: frames come. stalled: they came and do not any more; it is
watched or opened again. failed: it could not be opened or worked on; it is tried again later.
stopped: it is not enabled, or its file is over."""

STATES: tuple[State, ...] = ("connecting", "running", "stalled", "failed", "stopped")
WINDOW = 512
"""Frames that percentiles are over."""
_RATE_S = 3.0


@dataclass
class Figures:
    """How a stream goes; written by its output thread, read by anybody."""

    frames: int = 0
    people: int = 0
    size: tuple[int, int] | None = None
    dropped_late: int = 0
    dropped_source: int = 0
    reconnects: int = 0
    detector_runs: int = 0
    tracks: int = 0
    last_at: float | None = None
    last_ns: int | None = None
    _latency: Samples = field(default_factory=lambda: Samples(WINDOW))
    _stages: dict[str, Samples] = field(default_factory=dict)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=256))
    _lock: Lock = field(default_factory=Lock)

    @property
    def dropped(self) -> int:
        """Frames lost for any reason."""
        return self.dropped_late + self.dropped_source

    def count(self, item: Published) -> None:
        """Add one published frame."""
        result = item.result
        with self._lock:
            self.frames += 1
            self.people, self.size = len(result.tracks), result.frame.size
            self.detector_runs += result.detector_ran
            self.last_at, self.last_ns = item.published_at, item.publish_ns
            self._recent.append(item.published_at)
            self._latency.add(item.latency_s)
            for mark in result.marks:
                self._stages.setdefault(mark.stage, Samples(WINDOW)).add(mark.end - mark.begin)

    def shown(self) -> dict[str, Any]:
        """As plain numbers."""
        with self._lock:
            latency = self._latency.spread()
            stages = {name: samples.spread() for name, samples in self._stages.items()}
            now = time.perf_counter()
            recent = [at for at in self._recent if now - at <= _RATE_S]
            fps = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0
            return {
                "frames": self.frames,
                "fps": round(fps, 2),
                "people": self.people,
                "tracks": self.tracks,
                "size": self.size,
                "detector_runs": self.detector_runs,
                "reconnects": self.reconnects,
                "dropped": {"late": self.dropped_late, "source": self.dropped_source},
                "last_frame_ns": self.last_ns,
                "latency_ms": {
                    "p50": round(latency.p50_ms, 2),
                    "p95": round(latency.p95_ms, 2),
                    "p99": round(latency.p99_ms, 2),
                },
                "stages_ms": {
                    name: {"p50": round(each.p50_ms, 2), "p95": round(each.p95_ms, 2)}
                    for name, each in stages.items()
                },
            }
