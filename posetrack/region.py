"""The part of the picture in which people count."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from posetrack.errors import ConfigError
from posetrack.geometry import box_centers
from posetrack.types import Bools, Floats

_ROOM = 0.1
"""Of the region's sides, around it: who stands on its edge must be seen whole to be found."""


class Region(Protocol):
    """Where people count: those whose box has its centre in it."""

    def contains(self, boxes: Floats, size: tuple[int, int]) -> Bools:
        """(N,) of boxes (N, 4) in a picture of `size` (width, height)."""
        ...

    def window(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """What the detector needs to see: left, top, right, bottom in px."""
        ...


class Polygon:
    """A region with corners.

    Args:
        corners: (C, 2), C of 3 or more, in px or in shares of the picture's width and height.
        shares: which of the two.
    """

    def __init__(self, corners: Floats, *, shares: bool = False) -> None:
        self._corners, self._shares = np.asarray(corners, np.float32), shares

    @classmethod
    def parse(cls, text: str) -> Polygon:
        """``"x1,y1,x2,y2"`` is a rectangle, ``"x1,y1 x2,y2 x3,y3 ..."`` the corners of a polygon.

        Numbers of at most 1 are shares of the picture, larger ones px.

        Raises:
            ConfigError: anything else.
        """
        wrong = ConfigError(
            f"region {text!r}: give a rectangle x1,y1,x2,y2 or corners x1,y1 x2,y2 x3,y3 ..., "
            "in px or as shares of the picture, 0 to 1"
        )
        try:
            corners = re.sub(r"\s*,\s*", ",", text).split()
            points = [[float(n) for n in corner.split(",")] for corner in corners]
        except ValueError:
            raise wrong from None
        if len(points) == 1 and len(points[0]) == 4:
            left, top, right, bottom = points[0]
            points = [[left, top], [right, top], [right, bottom], [left, bottom]]
        if len(points) < 3 or any(len(point) != 2 for point in points):
            raise wrong
        outline = np.array(points, np.float32)
        usable = np.isfinite(outline).all() and outline.min() >= 0
        if not usable or (np.ptp(outline, axis=0) <= 0).any():
            raise wrong
        return cls(outline, shares=bool(outline.max() <= 1))

    def contains(self, boxes: Floats, size: tuple[int, int]) -> Bools:
        """(N,) whose centre lies within the corners."""
        outline = self._outline(size)
        inside = [
            cv2.pointPolygonTest(outline, (float(x), float(y)), measureDist=False) >= 0
            for x, y in box_centers(boxes)
        ]
        return np.array(inside, np.bool_)

    def window(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The corners' extent with some room."""
        outline = self._outline(size)
        return _window(outline.min(axis=0), outline.max(axis=0), size)

    def _outline(self, size: tuple[int, int]) -> Floats:
        return self._corners * np.array(size, np.float32) if self._shares else self._corners


class Mask:
    """A region painted white on black.

    Args:
        path: an image; it is scaled to the frames.

    Raises:
        ConfigError: no image, or all black.
    """

    def __init__(self, path: Path) -> None:
        # Decoded here: on Windows OpenCV opens no path with letters beyond the code page.
        data = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
        painted = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
        if painted is None:
            raise ConfigError(f"cannot read mask {path}: give an image, white where people count")
        if not (painted > 127).any():
            raise ConfigError(f"mask {path} is all black: paint white where people count")
        self._painted = painted > 127

    def contains(self, boxes: Floats, size: tuple[int, int]) -> Bools:
        """(N,) whose centre lies on white."""
        height, width = self._painted.shape
        at = box_centers(boxes) * np.array([width / size[0], height / size[1]], np.float32)
        columns, rows = np.clip(at.astype(np.int64), 0, [width - 1, height - 1]).T
        return np.asarray(self._painted[rows, columns], np.bool_)

    def window(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The extent of the white with some room."""
        rows, columns = (np.flatnonzero(self._painted.any(axis=axis)) for axis in (1, 0))
        height, width = self._painted.shape
        scale = np.array([size[0] / width, size[1] / height])
        first, last = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
        return _window(first * scale, last * scale, size)


def open_region(polygon: str | None, mask: Path | None) -> Region | None:
    """The one of the two that is given."""
    if polygon is not None and mask is not None:
        raise ConfigError("a region and a mask are given: one is enough")
    if mask is not None:
        return Mask(mask)
    return None if polygon is None else Polygon.parse(polygon)


def _window(
    first: np.ndarray, last: np.ndarray, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """A rectangle and some room around it, inside a picture; all of it where little is left out."""
    room = _ROOM * (last - first)
    left, top = np.clip(np.floor(first - room), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(last + room), 0, size).astype(int).tolist()
    if right <= left or bottom <= top:
        raise ConfigError(f"the region lies outside the picture, which is {size[0]}x{size[1]}")
    return left, top, right, bottom
