"""What a sink of results is."""

from __future__ import annotations

from typing import Protocol

from posetrack.types import Image, Result


class Sink(Protocol):
    """Where results go. All methods are called by one thread, results in their order.

    Outputs are written beside their final name (``name.part``) until `finish`.
    """

    def open(self) -> None:
        """Make ready to write. Raises SinkError before any frame is worked on."""
        ...

    def write(self, result: Result, image: Image, /) -> None:
        """Take one result and its drawn picture. Raises SinkError."""
        ...

    def finish(self) -> None:
        """Complete the output and give it its name; after an interruption too."""
        ...

    def abort(self) -> None:
        """After a failure: leave nothing behind. Never raises; after `finish` does nothing."""
        ...
