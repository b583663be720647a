"""Small tags with text, rendered once and pasted where they hide nobody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

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


def place(size: tuple[int, int], box: Sequence[float], frame: tuple[int, int]) -> tuple[int, int]:
    """Left and top of a tag of (width, height) `size` for a person in `box`.

    Above the box where there is room, else below it, else in its upper corner; always inside the
    frame as far as it fits.
    """
    width, height = size
    left, top, _, bottom = box
    y = round(top) - height
    if y < 0:
        y = round(bottom) + 1
        if y + height > frame[1]:
            y = max(0, round(top))
    x = round(left)
    return max(0, min(x, frame[0] - width)), max(0, min(y, frame[1] - height))


def paste(image: Image, patch: Image, left: int, top: int) -> None:
    """Copy `patch` into `image`, cut at its edges."""
    height, width = image.shape[:2]
    part = patch[: max(0, height - top), : max(0, width - left)]
    image[top : top + part.shape[0], left : left + part.shape[1]] = part


def draw_tags(
    image: Image, boxes: Floats, ids: Sequence[int], colours: Sequence[Colour], height: int
) -> None:
    """The ids of people, each beside its box."""
    frame = (image.shape[1], image.shape[0])
    for box, number, colour in zip(boxes.tolist(), ids, colours, strict=True):
        patch = tag(str(number), height, colour)
        left, top = place((patch.shape[1], patch.shape[0]), box, frame)
        paste(image, patch, left, top)
