"""How a live source is opened, watched and opened again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from posetrack.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Settings of one live source; None leaves the choice to the camera or the sender.

    Attributes:
        width: of the picture asked of a camera, of raw stdin, or of a part of the screen, px.
        height: the same; both or neither.
        fps: frames a second asked of a camera or screen; those of raw stdin.
        format: how a camera shall send (``mjpeg`` or ``yuyv``); the pixels of raw stdin.
        transport: of RTSP; UDP loses packets, TCP waits for them.
        verify_tls: whether a server's certificate must be known; cameras often sign their own.
        open_timeout_s: how long one attempt to open may take.
        read_timeout_s: after so long without data the connection is given up.
        stall_s: without a picture for so long, the state is ``stalled``.
        reconnects: attempts in a row to open a lost source again; None: for ever, and then also
            one that was never there.
        backoff_s: pause before the first attempt; it doubles from attempt to attempt.
        longest_backoff_s: and grows no longer than this. Each pause varies by a quarter, so that
            many clients of one server do not come back at the same instant.
        pace: give frames at the speed of their time stamps; None: only where a stream comes in
            bursts (HLS, files over HTTP).
        keep_size: fit pictures into the size of the first one, should the sender change it;
            without, they come as they are, and people seem to jump.

    Raises:
        ConfigError: a number that makes no sense.
    """

    # pydantic reads it where the settings come from a file; it is not imported here.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    format: str | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    verify_tls: bool = False
    open_timeout_s: float = 8.0
    read_timeout_s: float = 5.0
    stall_s: float = 2.0
    reconnects: int | None = 5
    backoff_s: float = 0.5
    longest_backoff_s: float = 8.0
    pace: bool | None = None
    keep_size: bool = True

    def __post_init__(self) -> None:
        if (self.width is None) != (self.height is None):
            raise ConfigError("live.width and live.height belong together: give both or neither")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= 16384:
                raise ConfigError(f"live.{name} must be 1 to 16384 px, got {value}")
        for name in ("fps", "open_timeout_s", "read_timeout_s", "stall_s", "backoff_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"live.{name} must be more than 0, got {value}")
        if not self.backoff_s <= self.longest_backoff_s < float("inf"):
            raise ConfigError(
                f"live.longest_backoff_s must be backoff_s ({self.backoff_s:g}) or more, "
                f"got {self.longest_backoff_s}"
            )
        if self.reconnects is not None and self.reconnects < 0:
            raise ConfigError(f"live.reconnects must be 0 or more, got {self.reconnects}")

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) if they are given."""
        return None if self.width is None or self.height is None else (self.width, self.height)
