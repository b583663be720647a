"""Tracked people drawn into a picture: anti-aliased, and as thick as each person is large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.media.labels import Spots, draw_tags
from posetrack.media.openpose import spindles, with_neck
from posetrack.media.palette import (
    INK,
    PAPER,
    Colour,
    dimmed,
    id_colour,
    keypoint_colours,
    limb_colours,
)
from posetrack.media.parts import fine_keypoints, fine_limbs
from posetrack.media.styles import Style
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Image, Ints, Poses, Tracks

_SHIFT = 4  # OpenCV draws in sixteenths of a pixel
_PERSON_PX_PER_LINE_PX = 110


def draw(image: Image, tracks: Tracks, style: Style, spots: Spots | None = None) -> None:
    """Draw `tracks` into `image`, in place; boxes first and labels last.

    Args:
        image: (H, W, 3) BGR.
        tracks: who.
        style: how.
        spots: where the labels stood in the picture before; they keep their places where they can.

    Raises:
        ConfigError: `style.skeleton` has another number of keypoints than the tracks.
    """
    if not len(tracks):
        return
    poses, skeleton = _shown(tracks.poses, style)
    seen = poses.scores >= style.threshold
    boxes = poses.boxes
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    limit = max(image.shape[:2]) / 90  # a close-up shall not be painted over
    widths = np.clip(sides / _PERSON_PX_PER_LINE_PX, 1, max(1, limit)) * style.thickness
    pens = np.maximum(1, np.round(widths)).astype(int).tolist()
    people = [
        id_colour(number) if observed else dimmed(id_colour(number))
        for number, observed in zip(tracks.ids.tolist(), tracks.observed.tolist(), strict=True)
    ]
    if "boxes" in style.layers:
        _draw_boxes(image, boxes, people, pens)
    points = _fixed_point(poses.keypoints, image)
    look = _look(skeleton, style)
    for row, pen in enumerate(pens):
        observed = bool(tracks.observed[row])
        paint = _Person(points[row], seen[row], pen, observed, people[row], look)
        if "limbs" in style.layers:
            paint.limbs(image)
        if "keypoints" in style.layers:
            paint.keypoints(image)
        if style.keypoint_index:
            paint.numbers(image)
    if "ids" in style.layers:
        height = max(11, round(min(image.shape[:2]) / 36 * max(style.thickness, 1)))
        draw_tags(image, boxes, tracks.ids.tolist(), people, height, spots)


def _shown(poses: Poses, style: Style) -> tuple[Poses, Skeleton]:
    """The poses and the limbs that the style wants."""
    skeleton = style.skeleton or poses.skeleton
    if len(skeleton) != len(poses.skeleton):
        raise ConfigError(
            f"skeleton {skeleton.name!r} has {len(skeleton)} keypoints but the model gives "
            f"{len(poses.skeleton)}: choose a skeleton of that many"
        )
    if style.form == "openpose" and style.skeleton is None:
        poses = with_neck(poses)
        skeleton = poses.skeleton
    return poses, skeleton


@dataclass(frozen=True, slots=True)
class _Look:
    """What all people of a picture have in common, looked up once."""

    style: Style
    limbs: npt.NDArray[np.int64]
    limb_colours: tuple[Colour, ...]
    keypoint_colours: tuple[Colour, ...]
    fine_limbs: frozenset[int]
    fine_keypoints: frozenset[int]


@lru_cache(maxsize=16)
def _look(skeleton: Skeleton, style: Style) -> _Look:
    """The look of a skeleton in a style."""
    return _Look(
        style,
        np.array(skeleton.limbs, np.int64).reshape(-1, 2),
        limb_colours(skeleton, style.scheme),
        keypoint_colours(skeleton, style.scheme),
        fine_limbs(skeleton),
        fine_keypoints(skeleton),
    )


@dataclass(frozen=True, slots=True)
class _Person:
    """One person in OpenCV's fixed point: `points` (K, 2) int32, `seen` (K,), line width `pen`."""

    points: npt.NDArray[np.int32]
    seen: Bools
    pen: int
    observed: bool
    colour: Colour
    look: _Look

    def limbs(self, image: Image) -> None:
        """What connects seen keypoints."""
        ends = self.look.limbs
        shown = np.flatnonzero(self.seen[ends].all(axis=1))
        if not len(shown):
            return
        strokes, opacity = self.points[ends], self.look.style.opacity
        if opacity >= 1:
            self._strokes(image, strokes, shown)
            return
        window = _around(strokes[shown], 2 * self.pen + 2, image)
        before = image[window].copy()
        self._strokes(image, strokes, shown)
        part = image[window]
        cv2.addWeighted(part, opacity, before, 1 - opacity, 0, dst=part)

    def keypoints(self, image: Image) -> None:
        """Dots on seen keypoints; smaller ones on fingers and face points."""
        look, edges = self.look, self.look.style.edges
        dot = 20 + 12 * self.pen  # sixteenths of a pixel
        for index in np.flatnonzero(self.seen).tolist():
            at, colour = self.points[index].tolist(), look.keypoint_colours[index]
            if not self.observed:
                colour = dimmed(colour)
            radius, rim = (dot // 2, 7) if index in look.fine_keypoints else (dot, 14)
            if edges:
                cv2.circle(image, at, radius + rim, INK, cv2.FILLED, cv2.LINE_AA, _SHIFT)
            cv2.circle(image, at, radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def _strokes(self, image: Image, strokes: npt.NDArray[np.int32], shown: Ints) -> None:
        """Those `shown` of the strokes (S, 2, 2), fingers and face thinner."""
        fine = self.look.fine_limbs
        if not fine:
            self._lines(image, strokes, shown.tolist(), self.pen)
            return
        thin = max(1, self.pen // 2)
        self._lines(image, strokes, [i for i in shown.tolist() if i not in fine], self.pen)
        self._lines(image, strokes, [i for i in shown.tolist() if i in fine], thin)

    def _lines(
        self, image: Image, strokes: npt.NDArray[np.int32], shown: list[int], pen: int
    ) -> None:
        """Strokes of one width, one call a colour: a call costs more than a line."""
        style = self.look.style
        if style.edges and shown:
            _polylines(image, strokes[shown], INK, pen + max(1, round(0.35 * pen)) * 2)
        groups: dict[Colour, list[int]] = {}
        for index in shown:
            colour = self.colour if style.scheme == "id" else self.look.limb_colours[index]
            groups.setdefault(colour, []).append(index)
        for colour, indices in groups.items():
            paint = colour if self.observed else dimmed(colour)
            if style.form == "openpose":
                _spindles(image, strokes[indices], paint, pen)
            else:
                _polylines(image, strokes[indices], paint, pen)

    def numbers(self, image: Image) -> None:
        """The index of each seen keypoint, beside it."""
        size = max(0.3, min(0.25 + 0.08 * self.pen, 0.8))
        for index in np.flatnonzero(self.seen).tolist():
            x, y = (self.points[index] >> _SHIFT).tolist()
            at = (x + self.pen + 2, y - self.pen - 1)
            for colour, pen in ((INK, 3), (PAPER, 1)):
                font = cv2.FONT_HERSHEY_SIMPLEX
                cv2.putText(image, str(index), at, font, size, colour, pen, cv2.LINE_AA)


def _fixed_point(points: Any, image: Image) -> npt.NDArray[np.int32]:
    """Coordinates in sixteenths, those far outside brought near so that nothing overflows."""
    reach = 4 * max(image.shape[:2])
    fixed = np.round(np.clip(points, -reach, reach) * (1 << _SHIFT))
    return np.asarray(fixed, np.int32)


def _polylines(image: Image, lines: Any, colour: Colour, pen: int) -> None:
    cv2.polylines(image, list(lines), False, colour, pen, cv2.LINE_AA, _SHIFT)


def _spindles(image: Image, strokes: Any, colour: Colour, pen: float) -> None:
    """OpenPose's limbs: ellipses twice as thick as lines would be."""
    width = 2.2 * pen * (1 << _SHIFT)
    outlines = spindles(strokes.astype(np.float32), width).round().astype(np.int32)
    for outline in outlines:
        cv2.fillConvexPoly(image, outline, colour, cv2.LINE_AA, _SHIFT)


def _around(strokes: Any, margin: int, image: Image) -> tuple[slice, slice]:
    """Rows and columns of `image` within `margin` px of fixed-point strokes (S, 2, 2)."""
    height, width = image.shape[:2]
    low = (strokes.min(axis=(0, 1)) >> _SHIFT) - margin
    high = (strokes.max(axis=(0, 1)) >> _SHIFT) + margin + 1
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    left, top = max(0, min(left, width - 1)), max(0, min(top, height - 1))
    return slice(top, max(top + 1, min(bottom, height))), slice(
        left, max(left + 1, min(right, width))
    )


def _draw_boxes(image: Image, boxes: Any, colours: Sequence[Colour], pens: Sequence[int]) -> None:
    """Thin frames, thinner than the limbs so that they stay behind them."""
    corners = _fixed_point(boxes, image).tolist()
    for (left, top, right, bottom), colour, pen in zip(corners, colours, pens, strict=True):
        thin = max(1, round(pen / 3))
        rectangle = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32)
        cv2.polylines(image, [rectangle], True, colour, thin, cv2.LINE_AA, _SHIFT)
