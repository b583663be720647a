"""What a pose network answered, as a glow over the picture."""

from __future__ import annotations

import cv2
import numpy as np

from posetrack.types import Heat, Image

_STRONGEST = 0.8  # how much of the picture the hottest place hides


def draw_heat(image: Image, heat: Heat) -> None:
    """Lay the maps of all people over `image`, in place; the hottest of those that meet."""
    height, width = image.shape[:2]
    field = np.zeros((height, width), np.uint8)
    for one, placement in zip(heat.maps, heat.placements, strict=True):
        rows, columns = one.shape
        corners = np.array([[0, 0, 1], [columns - 1, rows - 1, 1]]) @ placement.T
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        left, top = max(0, int(left)), max(0, int(top))
        right, bottom = min(width, int(right) + 1), min(height, int(bottom) + 1)
        if left >= right or top >= bottom:
            continue
        inside = placement - np.array([[0, 0, left], [0, 0, top]])
        glow = np.asarray(np.clip(one, 0, 1) * 255, np.uint8)
        there = cv2.warpAffine(glow, inside, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        part = field[top:bottom, left:right]
        np.maximum(part, there, out=part)
    colours = cv2.applyColorMap(field, cv2.COLORMAP_INFERNO)
    share = (field * (_STRONGEST / 255))[..., None].astype(np.float32)
    image[:] = image + (colours.astype(np.float32) - image) * share
