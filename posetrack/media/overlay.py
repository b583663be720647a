"""A few words about a live run, small and legible, in a corner of the picture."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from posetrack.media.labels import paste, tag
from posetrack.media.palette import Colour
from posetrack.types import Image, Result

_GROUND: Colour = (32, 32, 32)
_ALERT: Colour = (40, 40, 190)
_WINDOW_S = 2.0


class Pulse:
    """Frames a second and latency over the last two seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def beat(self, result: Result) -> None:
        """One result was shown."""
        now = time.perf_counter()
        self._seen.append((now, now - result.frame.captured_at))
        while now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    def reading(self) -> tuple[float, float]:
        """(frames a second, median seconds from capture to now); zeros where nothing came."""
        seen = [entry for entry in self._seen if time.perf_counter() - entry[0] <= _WINDOW_S]
        if len(seen) < 2:
            return 0.0, 0.0
        latencies = sorted(latency for _, latency in seen)
        fps = (len(seen) - 1) / max(seen[-1][0] - seen[0][0], 1e-6)
        return fps, latencies[len(latencies) // 2]


def write_words(image: Image, words: Sequence[str], alerts: Sequence[str] = ()) -> None:
    """Draw tags into `image`, in place, from its upper left corner on; alerts are red."""
    height = max(12, min(22, image.shape[0] // 26))
    gap = max(2, height // 6)
    left, top = gap, gap
    for text in (*words, *alerts):
        patch = tag(text, height, _ALERT if text in alerts else _GROUND)
        if left > gap and left + patch.shape[1] > image.shape[1]:
            left, top = gap, top + height + gap
        paste(image, patch, left, top)
        left += patch.shape[1] + gap
