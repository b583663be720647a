"""Preprocessing against the slow, obvious way."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pytest

from posetrack.geometry import Letterbox
from posetrack.normalize import Normalizer

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def _obvious(image: np.ndarray, color: str) -> np.ndarray:
    picture = image[..., ::-1] if color == "rgb" else image
    return ((picture.astype(np.float64) - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize("color", ["bgr", "rgb"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (256, 192)])
def test_it_equals_subtracting_and_dividing_in_double(
    color: Literal["bgr", "rgb"], size: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    out = np.full((3, *size), np.nan, np.float32)
    assert Normalizer(color, MEAN, STD)(image, out) is out
    np.testing.assert_allclose(out, _obvious(image, color), atol=1e-5)


def test_one_normalizer_serves_pictures_of_different_sizes() -> None:
    normalize = Normalizer("bgr", MEAN, STD)
    for height, width in ((4, 6), (10, 2), (4, 6)):
        image = np.full((height, width, 3), 100, np.uint8)
        out = np.empty((3, height, width), np.float32)
        np.testing.assert_allclose(normalize(image, out), _obvious(image, "bgr"), atol=1e-5)


@pytest.mark.parametrize("size", [(640, 480), (97, 311), (1, 1), (320, 320), (1, 400)])
def test_the_letterbox_is_a_resize_in_the_corner_of_grey(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    box = Letterbox(size, (320, 320))
    canvas = np.zeros((320, 320, 3), np.uint8)
    box.resize(image, pad=114, out=canvas)
    width, height = box.resized
    ratio = min(320 / size[0], 320 / size[1])
    assert (width, height) == tuple(max(1, int(side * ratio + 0.5)) for side in size)
    assert (canvas[height:] == 114).all()
    assert (canvas[:, width:] == 114).all()
    plain = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    difference = np.abs(canvas[:height, :width].astype(int) - plain)
    assert difference.max() <= (0 if ratio >= 0.5 else 255)
