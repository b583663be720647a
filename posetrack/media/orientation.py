"""Turning stored pictures the way their metadata says a viewer shall see them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from posetrack.types import Image


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways a picture can lie: transpose first, then flip.

    Attributes:
        transpose: rows and columns are exchanged.
        flip_x: then left and right are exchanged.
        flip_y: then top and bottom are exchanged.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_display_matrix(cls, data: bytes) -> Orientation:
        """The orientation nearest to an FFmpeg display matrix (9 int32, a and d at 0 and 4).

        ``x' = a x + c y``, ``y' = b x + d y``; angles that are no multiple of 90 degrees are
        rounded to one, since turning them would need resampling.
        """
        a, b, _, c, d = np.frombuffer(data, np.int32, count=5).tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def mirrored(self) -> Orientation:
        """The same, then left and right exchanged."""
        return Orientation(self.transpose, not self.flip_x, self.flip_y)

    def size(self, stored: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after turning."""
        return (stored[1], stored[0]) if self.transpose else stored

    def apply(self, image: Image) -> Image:
        """The upright picture; the same array where nothing has to be done."""
        turn = _ROTATIONS.get((self.transpose, self.flip_x, self.flip_y))
        if turn is not None:
            return np.asarray(cv2.rotate(image, turn), np.uint8)
        if self.transpose:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.flip_x or self.flip_y:
            axis = 1 if not self.flip_y else 0 if not self.flip_x else -1
            image = np.asarray(cv2.flip(image, axis), np.uint8)
        return image


_ROTATIONS = {
    (True, True, False): cv2.ROTATE_90_CLOCKWISE,
    (False, True, True): cv2.ROTATE_180,
    (True, False, True): cv2.ROTATE_90_COUNTERCLOCKWISE,
}

UPRIGHT = Orientation()
