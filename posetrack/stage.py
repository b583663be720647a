"""Where drawn figures appear: a floor, things that hide them, and the truth of the picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from posetrack import figures, motions
from posetrack.errors import SinkError
from posetrack.types import Floats, Image, Ints

_NEAR = 4
"""A keypoint shows if its own figure does within so many px of it."""
_SOFT = 16
"""Px beyond a shadow's edge that its softness needs."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure at a moment: where its feet are (px), how tall it is (px), how it is turned."""

    track_id: int
    joints: motions.Joints
    outfit: figures.Outfit
    x: float
    y: float
    height: float
    yaw: float


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that hides who is behind it: an upright slab whose foot is at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    colour: figures.Colour = (70, 96, 118)


@dataclass(frozen=True, slots=True)
class Truth:
    """The figures of one picture, row-aligned.

    Attributes:
        ids: (N,).
        boxes: (N, 4) around the whole figure, hidden parts too, cut at the border.
        keypoints: (N, 17, 2), hidden ones too.
        visible: (N, 17) 2 seen, 1 hidden by something or by the figure itself, 0 outside.
        shown: (N,) the share of the figure that nothing hides and no border cuts.
    """

    ids: Ints
    boxes: Floats
    keypoints: Floats
    visible: Ints
    shown: Floats

    def scaled(self, ratio: tuple[float, float]) -> Truth:
        """The same in a picture `ratio` (x, y) times as large."""
        by = np.array(ratio, np.float32)
        boxes, keypoints = self.boxes * np.tile(by, 2), self.keypoints * by
        return Truth(self.ids, boxes, keypoints, self.visible, self.shown)


Picture: TypeAlias = tuple[Image, Truth]


def room(size: tuple[int, int], floor_y: int, noise: np.random.Generator) -> Floats:
    """A plastered wall with a skirting board above a wooden floor, (H, W, 3) float BGR."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    plaster = cv2.GaussianBlur(noise.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.2)
    blotches = cv2.GaussianBlur(noise.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 40)
    wall = 168 + 9 * plaster + 220 * blotches
    wall -= 46 * np.hypot((x - 0.594 * width) / width, (y - 60) / height)
    picture = wall[..., None] * np.array([0.93, 0.98, 1.0], np.float32)
    depth = 1 / np.maximum(y - floor_y + 60, 1)
    plank = (x - width / 2) * depth * 9
    tone = noise.normal(0, 1, 64).astype(np.float32)[np.floor(plank).astype(int) % 64]
    grain = np.sin(3800 * depth + 40 * np.sin(plank * 3.1) + tone * 9)
    floor = 104 + 9 * tone + 4 * grain + 0.16 * (y - floor_y)
    floor *= np.where(np.abs(plank - np.round(plank)) < 0.03, 0.72, 1.0)
    boards = floor[..., None] * np.array([0.62, 0.86, 1.08], np.float32)
    picture[floor_y:] = boards[floor_y:]
    picture[floor_y - 16 : floor_y] = np.array([205, 212, 216], np.float32)
    picture[floor_y - 17] *= 0.7
    picture[floor_y : floor_y + 3] *= 0.55
    return np.asarray(picture, np.float32)


def populate(
    image: Floats, cast: Iterable[Figure], *, floor_y: int, things: Sequence[Thing] = ()
) -> Truth:
    """Draw figures and things into `image`, the farthest first; the truth about the figures."""
    owner = np.full(image.shape[:2], -1, np.int64)
    figures_: list[Figure] = sorted(cast, key=lambda one: one.y)
    waiting = sorted(things, key=lambda one: one.y)
    sprites, corners = [], []
    for number, one in enumerate(figures_):
        while waiting and waiting[0].y < one.y:
            _put(image, owner, waiting.pop(0))
        sprite = figures.draw(one.joints, one.outfit, yaw=one.yaw, height_px=one.height)
        height, width = sprite.alpha.shape
        corner = np.array([round(one.x - width / 2), round(one.y - 0.97 * height)])
        _cast_shadow(image, sprite, one, floor_y)
        _paste(image, owner, sprite, corner, number)
        sprites.append(sprite)
        corners.append(corner)
    for thing in waiting:
        _put(image, owner, thing)
    return _truth(figures_, sprites, corners, owner)


def write_clip(
    path: Path,
    pictures: Iterator[Picture],
    *,
    size: tuple[int, int],
    fps: float,
    ticks: Iterable[int] | None = None,
) -> list[Truth]:
    """The truth about each picture of the clip written to `path` (H.264).

    Args:
        ticks: when each picture is shown, in frames of `fps`; without it one after the other.

    Raises:
        SinkError: the file cannot be written.
    """
    import av

    truths = []
    part = path.with_name(path.name + ".part")
    rate = Fraction(fps).limit_denominator(1001)
    times = iter(ticks) if ticks is not None else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(part), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.time_base = stream.codec_context.time_base = 1 / rate
            for index, (picture, truth) in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts = index if times is None else next(times)
                container.mux(stream.encode(frame))
                truths.append(truth)
            container.mux(stream.encode(None))
        part.replace(path)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if part.is_file():
            part.unlink()
    return truths


def finished(image: Floats, grain: Floats) -> Image:
    """The picture as a camera gives it: with noise, in bytes."""
    return np.asarray(np.clip(image + grain, 0, 255).astype(np.uint8), np.uint8)


def _truth(
    cast: Sequence[Figure],
    sprites: Sequence[figures.Sprite],
    corners: Sequence[Ints],
    owner: Ints,
) -> Truth:
    height, width = owner.shape
    boxes, points, visible, shown = [], [], [], []
    for number, (sprite, corner) in enumerate(zip(sprites, corners, strict=True)):
        boxes.append(sprite.box + np.tile(corner, 2))
        at = sprite.keypoints + corner
        points.append(at)
        shown.append((owner == number).sum() / max((sprite.alpha > 0.5).sum(), 1))
        inside = (at >= 0).all(axis=1) & (at <= [width - 1, height - 1]).all(axis=1)
        seen = np.array([_shows(owner, number, x, y) for x, y in at])
        visible.append(np.where(inside, 1 + (seen & sprite.front), 0))
    limits = np.array([width - 1, height - 1] * 2, np.float32)
    count = len(cast)
    return Truth(
        np.array([one.track_id for one in cast], np.int64),
        np.clip(np.array(boxes, np.float32).reshape(count, 4), 0, limits),
        np.array(points, np.float32).reshape(count, 17, 2),
        np.array(visible, np.int64).reshape(count, 17),
        np.array(shown, np.float32),
    )


def _shows(owner: Ints, number: int, x: float, y: float) -> bool:
    rows = slice(max(round(y) - _NEAR, 0), max(round(y) + _NEAR + 1, 0))
    columns = slice(max(round(x) - _NEAR, 0), max(round(x) + _NEAR + 1, 0))
    return bool((owner[rows, columns] == number).any())


def _put(image: Floats, owner: Ints, thing: Thing) -> None:
    """A slab with light on its left, and the shadow at its foot."""
    height, width = image.shape[:2]
    x0, x1 = _within(width, thing.x - thing.width / 2, thing.x + thing.width / 2)
    y0, y1 = _within(height, thing.y - thing.height, thing.y)
    if x0 >= x1 or y0 >= y1:
        return
    across = np.linspace(0, 1, x1 - x0, dtype=np.float32)[None, :, None]
    light = 1.12 - 0.45 * across + 0.05 * np.sin(40 * across)
    image[y0:y1, x0:x1] = np.array(thing.colour, np.float32) * light
    image[y0 : y0 + 3, x0:x1] *= 1.25
    owner[y0:y1, x0:x1] = -1
    image[y1 : y1 + 5, x0:x1] *= 0.6


def _within(limit: int, *places: float) -> list[int]:
    return [min(max(round(place), 0), limit) for place in places]


def _cast_shadow(image: Floats, sprite: figures.Sprite, one: Figure, floor_y: int) -> None:
    """Darken the floor where the figure stands and where it keeps the light away."""
    height, width = sprite.alpha.shape
    foot, reach = 0.97 * height, 0.55 * width + 0.55 * height + _SOFT
    # Only the floor near the feet: blurring whole pictures would cost most of the drawing.
    x0, x1 = _within(image.shape[1], one.x - reach, one.x + reach)
    top = max(floor_y, one.y - 0.2 * height - _SOFT)
    y0, y1 = _within(image.shape[0], top, one.y + 0.1 * height + _SOFT)
    if x0 >= x1 or y0 >= y1:
        return
    # Sheared to the right and flattened: the light comes from the upper left, the front.
    across = one.x - width / 2 + 0.50 * foot - x0
    matrix = np.array([[1.0, -0.50, across], [0.0, 0.16, one.y - 0.16 * foot - y0]])
    shadow = cv2.warpAffine(sprite.alpha, matrix, (x1 - x0, y1 - y0))
    contact: npt.NDArray[np.float32] = np.zeros(shadow.shape, np.float32)
    axes = (int(0.13 * one.height), int(0.035 * one.height))
    cv2.ellipse(contact, (round(one.x) - x0, round(one.y - 2) - y0), axes, 0, 0, 360, 1.0, -1)
    shadow = np.maximum(0.38 * shadow, 0.45 * contact)
    image[y0:y1, x0:x1] *= 1 - cv2.GaussianBlur(shadow, (0, 0), 4)[..., None]


def _paste(image: Floats, owner: Ints, sprite: figures.Sprite, corner: Ints, number: int) -> None:
    """Lay the sprite over the image with its upper left corner at `corner`, cut at the border."""
    height, width = sprite.alpha.shape
    x, y = int(corner[0]), int(corner[1])
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, image.shape[1]), min(y + height, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    cut = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    image[y0:y1, x0:x1] *= 1 - sprite.alpha[cut][..., None]
    image[y0:y1, x0:x1] += sprite.image[cut]
    owner[y0:y1, x0:x1][sprite.alpha[cut] > 0.5] = number
