"""What a live source is doing, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["connecting", "running", "stalled", "failed", "ended"]
"""connecting: no picture yet. running: pictures come. stalled: they came and do not any more; the
connection is being watched or opened again. failed: given up, with an error. ended: the stream
was over, or somebody stopped it."""


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a live source.

    Attributes:
        state: what it is doing.
        since: when that began, `time.perf_counter()`.
        reconnects: how often it was opened again after it had been lost.
        attempts: failed attempts to open it since it last gave a picture.
        error: why it was last lost or could not be opened; one line without passwords.
        size: (width, height) of the newest picture; None before the first.
        fps: as the sender says it; None where it does not.
        codec: how the pictures are coded, ``h264`` for example.
    """

    state: State
    since: float
    reconnects: int = 0
    attempts: int = 0
    error: str | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    codec: str | None = None
