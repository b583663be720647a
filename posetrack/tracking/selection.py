"""Who is followed where more people are in the picture than are wanted."""

from __future__ import annotations

import re

import numpy as np

from posetrack.errors import ConfigError
from posetrack.geometry import box_area, box_centers
from posetrack.types import Bools, Floats, Ints

ORDERS = ("first", "largest", "center")
IDS = r"[0-9]{1,18}(,[0-9]{1,18})*"
"""Numbers that an id can be, as a regular expression."""
_FAITHFUL = 1.2
"""Somebody else must be so many times as large, or as near, to take a followed person's place."""


def check_select(select: str) -> None:
    """Refuse what is neither an order nor a list of ids.

    Raises:
        ConfigError: with what may be given.
    """
    if select not in ORDERS and not re.fullmatch(IDS, select):
        words = ", ".join(ORDERS)
        raise ConfigError(f"select is {select!r}: choose one of {words}, or ids such as 3 or 3,7")


def chosen_ids(select: str) -> Ints | None:
    """(M,) the ids to show; None is everybody."""
    return None if select in ORDERS else np.array(select.split(","), np.int64)


def most_wanted(select: str, boxes: Floats, seen: Bools, size: tuple[int, int], limit: int) -> Ints:
    """At most `limit` rows, in their order, of boxes (N, 4) in the order of who came first.

    Args:
        seen: (N,) whose person was seen in the last frame.
        size: (width, height) of the picture.
    """
    if len(boxes) <= limit or select not in ("largest", "center"):
        return np.arange(min(len(boxes), limit))
    if select == "largest":
        worth = np.sqrt(box_area(boxes))
    else:
        away = box_centers(boxes) - np.array(size, np.float32) / 2
        worth = 1 / np.maximum(np.hypot(away[:, 0], away[:, 1]), 1)
    worth = worth * np.where(seen, _FAITHFUL, 1)
    return np.sort(np.argsort(-worth, kind="stable")[:limit])
