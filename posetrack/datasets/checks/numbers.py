"""Numbers out of files that may hold anything."""

from __future__ import annotations

import math
from typing import Any


def numbers(value: Any, count: int | None = None) -> list[float] | None:
    """`value` as finite floats; None where it is no list of `count` such numbers."""
    if not isinstance(value, list) or (count is not None and len(value) != count):
        return None
    for item in value:
        if isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
            return None
    return [float(item) for item in value]
