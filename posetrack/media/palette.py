"""Colours that stay apart for colour-blind eyes, BGR."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import Literal, TypeAlias

from posetrack.skeletons import Skeleton

Colour: TypeAlias = tuple[int, int, int]
Scheme: TypeAlias = Literal["side", "id", "mmpose", "openpose"]


def _bgr(rgb: str) -> Colour:
    return int(rgb[4:6], 16), int(rgb[2:4], 16), int(rgb[:2], 16)


# The nearest to Okabe and Ito (2008), with four more to make ten, of which any two are 20 apart
# (CIE 1976) for normal, protan, deutan and tritan eyes alike; a test measures it.
_ID_COLOURS = "64C8E1 E19600 009664 FAE14B C84B00 AF6496 3264E1 C8E17D AF7DE1 AFFAFA"
IDS = tuple(_bgr(rgb) for rgb in _ID_COLOURS.split(" "))
INK: Colour = (24, 24, 24)
PAPER: Colour = (255, 255, 255)

_SIDES: dict[str, dict[str, Colour]] = {
    "side": {"left": _bgr("4FB3F6"), "right": _bgr("FF9F1C"), "middle": _bgr("F2F2F2")},
    "mmpose": {"left": _bgr("00FF00"), "right": _bgr("FF8000"), "middle": _bgr("3399FF")},
}


def id_colour(track_id: int) -> Colour:
    """The colour of an identity; repeats after ten."""
    return IDS[track_id % len(IDS)]


@cache
def keypoint_colours(skeleton: Skeleton, scheme: Scheme) -> tuple[Colour, ...]:
    """K colours; for ``id`` those of ``side``."""
    if scheme == "openpose":
        return _rainbow(len(skeleton))
    sides = _SIDES["mmpose" if scheme == "mmpose" else "side"]
    return tuple(sides[side] for side in skeleton.sides)


@cache
def limb_colours(skeleton: Skeleton, scheme: Scheme) -> tuple[Colour, ...]:
    """One colour a limb: that of the side it lies on; a limb across the body is middle."""
    if scheme == "openpose":
        # OpenPose's own eighteen points have eighteen colours and seventeen limbs.
        return _rainbow(max(len(skeleton), len(skeleton.limbs)))[: len(skeleton.limbs)]
    sides = _SIDES["mmpose" if scheme == "mmpose" else "side"]
    made = []
    for a, b in skeleton.limbs:
        ends = {skeleton.sides[a], skeleton.sides[b]} - {"middle"}
        made.append(sides[ends.pop() if len(ends) == 1 else "middle"])
    return tuple(made)


def dimmed(colour: Colour) -> Colour:
    """`colour` moved halfway to grey, for people who are predicted and not seen."""
    blue, green, red = ((channel + 110) // 2 for channel in colour)
    return blue, green, red


def text_colour(ground: Colour) -> Colour:
    """Dark or light, whichever reads better on `ground`."""
    blue, green, red = ground
    return INK if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else PAPER


def _rainbow(count: int) -> tuple[Colour, ...]:
    made = []
    for i in range(count):
        red, green, blue = colorsys.hsv_to_rgb(i / max(count, 1), 1.0, 1.0)
        made.append((round(255 * blue), round(255 * green), round(255 * red)))
    return tuple(made)
