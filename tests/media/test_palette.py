"""Colours stay apart for eyes that lack one kind of cone."""

from __future__ import annotations

import numpy as np
import pytest

from posetrack.media import palette
from posetrack.skeletons import load_skeleton

# Linear RGB as dichromats see it: Machado, Oliveira and Fernandes (2009), severity 1.
VISION = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
_TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]


def lab(colours, vision: str) -> np.ndarray:
    """(N, 3) CIE L*a*b* of BGR colours as seen."""
    rgb = np.array(colours, float)[:, ::-1] / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(VISION[vision]).T, 0, 1)
    xyz = seen @ np.array(_TO_XYZ).T / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def nearest(colours, vision: str) -> float:
    """The smallest difference between two of them."""
    values = lab(colours, vision)
    gaps = np.linalg.norm(values[:, None] - values[None], axis=-1)
    return float(gaps[np.triu_indices(len(colours), 1)].min())


@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_ids_differ(vision):
    assert nearest(palette.IDS, vision) > 20


@pytest.mark.parametrize("vision", VISION)
def test_left_right_and_middle_differ_more(vision):
    colours = sorted(set(palette.keypoint_colours(load_skeleton("coco"), "side")))
    assert len(colours) == 3
    assert nearest(colours, vision) > 40


def test_colours_that_only_look_different_are_found_out():
    red, green = (40, 60, 200), (40, 130, 90)
    assert nearest([red, green], "normal") > 60
    assert nearest([red, green], "deutan") < 25
