"""Whether a decoder still understands what comes."""

from __future__ import annotations

import time

_WEIGHT = 1 / 48
_TOO_MUCH = 0.56
"""Share of packets without a whole picture; half of them is normal where each holds one field."""
_FOR_S = 1.0


class Damage:
    """Notes what became of each packet of a connection.

    A sender that changes its codec in mid-stream is not announced everywhere: a decoder fed with
    another codec's data mostly fails, and now and then gives something that is no picture.
    """

    def __init__(self) -> None:
        self._share = 0.0
        self._since: float | None = None

    def note(self, *, bad: bool) -> None:
        """One packet; `bad` if no picture, or a broken one, came of it."""
        self._share += _WEIGHT * (bad - self._share)
        if self._share < _TOO_MUCH:
            self._since = None
        elif self._since is None:
            self._since = time.perf_counter()

    def is_too_much(self) -> bool:
        """Whether most has been bad for so long that another decoder is worth a try."""
        return self._since is not None and time.perf_counter() - self._since > _FOR_S
