"""Small tags with text, rendered once and pasted where they hide nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np

from posetrack.media.palette import Colour, text_colour
from posetrack.types import Floats, Image

_FONT = cv2.FONT_HERSHEY_DUPLEX
_FINE = 4  # tags are drawn this much larger and shrunk, which smooths the font


@lru_cache(maxsize=512)
def tag(text: str, height: int, colour: Colour) -> Image:
    """(height, w, 3) `text` on `colour`; read-only, shared between calls."""
    tall = height * _FINE
    scale = tall * 0.6 / cv2.getTextSize("0", _FONT, 1.0, 1)[0][1]
    pen = max(1, round(tall / 14))
    (width, text_height), _ = cv2.getTextSize(text, _FONT, scale, pen)
    wide = width + round(tall * 0.5)
    canvas = np.full((tall, wide, 3), colour, np.uint8)
    at = (round(tall * 0.25), (tall + text_height) // 2)
    cv2.putText(canvas, text, at, _FONT, scale, text_colour(colour), pen, cv2.LINE_AA)
    size = (max(1, wide // _FINE), height)
    small = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
    small.flags.writeable = False
    return small


Spots: TypeAlias = dict[int, int]
"""Which of its places the tag of each id took; see `places`."""

Corners: TypeAlias = tuple[int, int, int, int]


def places(
    size: tuple[int, int], box: Sequence[float], frame: tuple[int, int]
) -> Iterator[tuple[int, Corners]]:
    """Where a tag of (width, height) `size` may stand for a person in `box`, the best first.

    Numbered: above the box, from its left or its right edge; below it; beside its upper corners.
    Always inside the frame as far as it fits; where no place is, in the upper corner of the box.
    """
    width, height = size
    left, top, right, bottom = map(round, box)
    most_x, most_y = max(0, frame[0] - width), max(0, frame[1] - height)
    nowhere = True
    for number, x, y in (
        (0, left, top - height),
        (1, right - width, top - height),
        (2, left, bottom + 1),
        (3, right - width, bottom + 1),
    ):
        if 0 <= y <= most_y:
            at = max(0, min(x, most_x))
            yield number, (at, y, at + width, y + height)
            nowhere = False
    y = max(0, min(top, most_y))
    for number, x in ((4, right + 1), (5, left - width)):
        if 0 <= x <= most_x:
            yield number, (x, y, x + width, y + height)
            nowhere = False
    if nowhere:
        x = max(0, min(left, most_x))
        yield 6, (x, y, x + width, y + height)


def least_hiding(
    spots: Iterable[tuple[int, Corners]],
    others: Sequence[Sequence[float]],
    kept: int | None = None,
) -> tuple[int, Corners]:
    """The spot that covers least of the boxes `others`, the earlier of equals, with its number.

    `kept` is where the tag stood before: it stays there while a tenth of it at most covers
    somebody, since a tag that jumps to and fro is worse to read.
    """
    if kept:
        spots = sorted(spots, key=lambda spot: spot[0] != kept)
    best, best_area = (0, (0, 0, 0, 0)), float("inf")
    for number, corners in spots:
        left, top, right, bottom = corners
        area = 0.0
        for x1, y1, x2, y2 in others:
            if x1 < right and left < x2 and y1 < bottom and top < y2:
                area += (min(x2, right) - max(x1, left)) * (min(y2, bottom) - max(y1, top))
        if area == 0 or (number == kept and area <= 0.1 * (right - left) * (bottom - top)):
            return number, corners
        if area < best_area:
            best, best_area = (number, corners), area
    return best


def paste(image: Image, patch: Image, left: int, top: int) -> None:
    """Copy `patch` into `image`, cut at its edges."""
    height, width = image.shape[:2]
    part = patch[: max(0, height - top), : max(0, width - left)]
    image[top : top + part.shape[0], left : left + part.shape[1]] = part


def draw_tags(
    image: Image,
    boxes: Floats,
    ids: Sequence[int],
    colours: Sequence[Colour],
    height: int,
    spots: Spots | None = None,
) -> None:
    """The ids of people, each beside its box and where it hides least of the others.

    `spots` of the picture before is brought up to date.
    """
    frame = (image.shape[1], image.shape[0])
    before = spots or {}
    chosen: Spots = {}
    taken: list[Sequence[float]] = boxes.tolist()
    for row, (number, colour) in enumerate(zip(ids, colours, strict=True)):
        patch = tag(str(number), height, colour)
        box = taken[row]
        free = places((patch.shape[1], patch.shape[0]), box, frame)
        others = [*taken[:row], *taken[row + 1 :]]
        chosen[number], spot = least_hiding(free, others, before.get(number))
        taken.append(spot)  # no tag hides another
        paste(image, patch, spot[0], spot[1])
    if spots is not None:
        spots.clear()
        spots.update(chosen)
