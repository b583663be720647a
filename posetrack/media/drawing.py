"""Tracked people drawn into a picture: anti-aliased, and as thick as each person is large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.media.labels import draw_tags
from posetrack.media.palette import (
    INK,
    PAPER,
    Colour,
    Scheme,
    dimmed,
    id_colour,
    keypoint_colours,
    limb_colours,
)
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Image, Tracks

LAYERS = ("boxes", "ids", "keypoints", "limbs", "trails")
SCHEMES = ("side", "id", "mmpose", "openpose")
BACKGROUNDS = ("image", "black", "blur")
_SHIFT = 4  # OpenCV draws in sixteenths of a pixel
_PERSON_PX_PER_LINE_PX = 110


@dataclass(frozen=True, slots=True)
class Style:
    """How people are drawn.

    Attributes:
        layers: which of `LAYERS`.
        scheme: limbs coloured by body side, by identity, or as MMPose or OpenPose do.
        threshold: keypoints with a lower score are left out.
        keypoint_index: write each keypoint's number beside it.
        background: what people are drawn on: the ``image``, ``black``, or its ``blur``.
        thickness: multiplies every line width.
        trail_s: length of the trails in seconds.
        skeleton: limbs to draw instead of the model's own; must have the same K.

    Raises:
        ConfigError: a word that is not known.
    """

    layers: frozenset[str] = frozenset({"boxes", "ids", "keypoints", "limbs"})
    scheme: Scheme = "side"
    threshold: float = 0.3
    keypoint_index: bool = False
    background: str = "image"
    thickness: float = 1.0
    trail_s: float = 1.5
    skeleton: Skeleton | None = None

    def __post_init__(self) -> None:
        for what, words, known in (
            ("layer", sorted(self.layers), LAYERS),
            ("colour scheme", [self.scheme], SCHEMES),
            ("background", [self.background], BACKGROUNDS),
        ):
            wrong = [word for word in words if word not in known]
            if wrong:
                raise ConfigError(f"unknown {what} {wrong[0]!r}: choose of {', '.join(known)}")


def draw(image: Image, tracks: Tracks, style: Style) -> None:
    """Draw `tracks` into `image`, in place; boxes first and labels last.

    Raises:
        ConfigError: `style.skeleton` has another number of keypoints than the tracks.
    """
    if not len(tracks):
        return
    poses = tracks.poses
    skeleton = style.skeleton or poses.skeleton
    if len(skeleton) != len(poses.skeleton):
        raise ConfigError(
            f"skeleton {skeleton.name!r} has {len(skeleton)} keypoints but the model gives "
            f"{len(poses.skeleton)}: choose a skeleton of that many"
        )
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
    for row, pen in enumerate(pens):
        paint = _Person(points[row], seen[row], pen, bool(tracks.observed[row]), people[row])
        if "limbs" in style.layers:
            paint.limbs(image, skeleton, style.scheme)
        if "keypoints" in style.layers:
            paint.keypoints(image, skeleton, style.scheme)
        if style.keypoint_index:
            paint.numbers(image)
    if "ids" in style.layers:
        height = max(11, round(min(image.shape[:2]) / 36 * style.thickness))
        draw_tags(image, boxes, tracks.ids.tolist(), people, height)


@dataclass(frozen=True, slots=True)
class _Person:
    """One person in OpenCV's fixed point: `points` (K, 2) int32, `seen` (K,), line width `pen`."""

    points: npt.NDArray[np.int32]
    seen: Bools
    pen: int
    observed: bool
    colour: Colour

    def limbs(self, image: Image, skeleton: Skeleton, scheme: Scheme) -> None:
        """Lines between seen keypoints, dark-edged so that they show on any ground."""
        if not skeleton.limbs:
            return
        ends = np.array(skeleton.limbs)
        shown = self.seen[ends].all(axis=1)
        colours = limb_colours(skeleton, scheme)
        if scheme == "id":
            colours = (self.colour,) * len(ends)
        self._strokes(image, self.points[ends], shown, colours, self.pen)

    def keypoints(self, image: Image, skeleton: Skeleton, scheme: Scheme) -> None:
        """Dark-edged dots on seen keypoints."""
        colours = keypoint_colours(skeleton, scheme)
        radius = 20 + 12 * self.pen  # sixteenths of a pixel
        for index in np.flatnonzero(self.seen).tolist():
            at = self.points[index].tolist()
            colour = colours[index] if self.observed else dimmed(colours[index])
            cv2.circle(image, at, radius + 14, INK, cv2.FILLED, cv2.LINE_AA, _SHIFT)
            cv2.circle(image, at, radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def _strokes(
        self,
        image: Image,
        strokes: npt.NDArray[np.int32],
        shown: Bools,
        colours: Sequence[Colour],
        pen: int,
    ) -> None:
        """Strokes (S, 2, 2), one call a colour: a call costs more than a line."""
        if not shown.any():
            return
        edge = pen + max(1, round(0.35 * self.pen)) * 2
        _polylines(image, strokes[shown], INK, edge)
        groups: dict[Colour, list[int]] = {}
        for index in np.flatnonzero(shown).tolist():
            groups.setdefault(colours[index], []).append(index)
        for colour, indices in groups.items():
            _polylines(image, strokes[indices], colour if self.observed else dimmed(colour), pen)

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


def _draw_boxes(image: Image, boxes: Any, colours: Sequence[Colour], pens: Sequence[int]) -> None:
    """Thin frames, thinner than the limbs so that they stay behind them."""
    corners = _fixed_point(boxes, image).tolist()
    for (left, top, right, bottom), colour, pen in zip(corners, colours, pens, strict=True):
        thin = max(1, round(pen / 3))
        rectangle = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32)
        cv2.polylines(image, [rectangle], True, colour, thin, cv2.LINE_AA, _SHIFT)
