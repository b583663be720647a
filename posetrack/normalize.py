"""Pictures to network input: colour order, mean and std in one pass over each plane."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from posetrack.types import Floats, Image


class Normalizer:
    """BGR uint8 (h, w, 3) -> float32 (3, h, w) of ``(value - mean) / std``.

    `mean` and `std` are in the order of `color`, the order the network wants. The planes of the
    picture are split into buffers that are kept, so one size after the other costs no allocation.
    """

    def __init__(
        self,
        color: Literal["bgr", "rgb"],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        self._order = (0, 1, 2) if color == "bgr" else (2, 1, 0)
        self._mean = np.array(mean, np.float32)
        self._factor = (1 / np.array(std, np.float64)).astype(np.float32)
        self._planes: list[Image] = []

    def __call__(self, image: Image, out: Floats) -> Floats:
        """`out` (3, h, w), filled."""
        if not self._planes or self._planes[0].shape != image.shape[:2]:
            self._planes = [np.empty(image.shape[:2], np.uint8) for _ in range(3)]
        cv2.split(image, self._planes)
        for channel, source in enumerate(self._order):
            plane = out[channel]
            np.subtract(self._planes[source], self._mean[channel], out=plane)
            np.multiply(plane, self._factor[channel], out=plane)
        return out
