"""Every exception of the package: each is also the builtin a caller would expect.

Messages are one line: what was asked, what was found, what to do.
"""

from __future__ import annotations


class PosetrackError(Exception):
    """Base of every expected error; the command line prints it as one line."""


class ConfigError(PosetrackError, ValueError):
    """A setting, flag or configuration file is not usable (exit code 2)."""


class SourceError(PosetrackError, OSError):
    """A source opened but cannot be read (corrupt, no video stream, no frames)."""


class SourceNotFound(SourceError, FileNotFoundError):
    """The file, folder, pattern or device asked for does not exist."""


class SinkError(PosetrackError, OSError):
    """An output cannot be written (permission, disk full, equal to the input)."""


class ModelError(PosetrackError, ValueError):
    """A model file or card is corrupt, of the wrong kind, or fails its check."""


class NotANumber(ModelError):
    """A network puts out NaN or infinity; `model` is its name."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} puts out NaN: its file or precision is at fault; fetch or export it anew, or "
            "use fp32"
        )


class ModelNotFound(ModelError, FileNotFoundError):
    """No model of that name or path."""


class DownloadError(PosetrackError, OSError):
    """A model could not be fetched or does not match its hash."""


class Unreachable(DownloadError):
    """Nobody answers there: no network, or no such host."""


class BackendError(PosetrackError, RuntimeError):
    """A backend failed to load or to run a graph."""


class BackendMissing(BackendError, ImportError):
    """The package a backend needs is not installed."""


class DeviceError(BackendError):
    """The device asked for is not there; nothing falls back silently."""


class StageError(PosetrackError, RuntimeError):
    """A pipeline stage failed; the cause is attached.

    Attributes:
        stage: name of the stage that failed.
        frame: index of the frame it was working on, or None outside a frame.
    """

    def __init__(self, message: str, *, stage: str, frame: int | None) -> None:
        super().__init__(message)
        self.stage = stage
        self.frame = frame
