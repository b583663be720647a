"""Pictures with boxes as training samples: mosaic, resize and crop, colour, mirror, mixup."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from posetrack.datasets.scenes import Scene
from posetrack.geometry import box_area, clip_boxes
from posetrack.training.augment import Scale, Share, photometric
from posetrack.types import Bools, Floats, Image

PAD = 114

Sample = tuple[Tensor, Tensor, Tensor, Tensor, bool]
Batch = tuple[Tensor, list[Tensor], list[Tensor], list[Tensor], list[bool]]


@dataclass(frozen=True, slots=True)
class DetectionAugmentation:
    """Strengths for detector pictures; stage 1 of RTMDet-nano.

    Attributes:
        flip: probability of mirroring.
        scale: (low, high) factor on a picture that fills the input, each of the four of a mosaic.
        mosaic: probability of four pictures in one.
        photometric: probability of changing brightness, contrast and colour.
        mixup: probability of laying a second picture over it.
        cache: the other pictures of mosaic and mixup are among so many last ones of the epoch,
            which each worker keeps decoded; 0 takes any.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": False}

    flip: Share = 0.5
    scale: Scale = (0.5, 1.5)
    mosaic: Share = 0.5
    photometric: Share = 0.8
    mixup: Share = 0.0
    cache: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A picture on its way to a sample: pixels, boxes (G, 4), classes (G,), regions (I, 4)."""

    image: Image
    boxes: Floats
    labels: npt.NDArray[np.int64]
    ignored: Floats
    complete: bool

    def mirrored(self) -> Piece:
        """Left and right swapped."""
        width = self.image.shape[1]
        boxes, ignored = self.boxes.copy(), self.ignored.copy()
        for rows in (boxes, ignored):
            rows[:, [0, 2]] = width - 1 - rows[:, [2, 0]]
        image = np.ascontiguousarray(self.image[:, ::-1])
        return replace(self, image=image, boxes=boxes, ignored=ignored)


class DetectionSamples(Dataset[Sample]):
    """Pictures (3, H, W) uint8 BGR, boxes (G, 4), classes (G,), regions (I, 4), complete.

    Sample i is made by a generator seeded with (seed, epoch, i), so it does not depend on the
    number of workers.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        order: Sequence[int],
        input_size: tuple[int, int],
        augmentation: DetectionAugmentation,
        *,
        seed: int,
        epoch: int,
    ) -> None:
        self.scenes, self.order, self.input_size = scenes, order, input_size
        self.augmentation = augmentation
        self.seed, self.epoch = seed, epoch
        self._decoded: OrderedDict[int, Image] = OrderedDict()

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        how = self.augmentation
        if rng.random() < how.mosaic:
            rows = [self.order[index], *self._others(index, 3, rng)]
            parts = [self._load(row) for row in rows]
            piece = mosaic(parts, self.input_size, how.scale, rng)
        else:
            own = self._load(self.order[index])
            piece = resize_and_crop(own, self.input_size, how.scale, rng)
        if rng.random() < how.flip:
            piece = piece.mirrored()
        if rng.random() < how.photometric:
            piece = replace(piece, image=photometric(piece.image, rng))
        if rng.random() < how.mixup:
            (row,) = self._others(index, 1, rng)
            second = resize_and_crop(self._load(row), self.input_size, how.scale, rng)
            piece = mixup(piece, second.mirrored() if rng.random() < how.flip else second)
        return (
            torch.from_numpy(np.ascontiguousarray(piece.image.transpose(2, 0, 1))),
            torch.from_numpy(piece.boxes),
            torch.from_numpy(piece.labels),
            torch.from_numpy(piece.ignored),
            piece.complete,
        )

    def _others(self, index: int, count: int, rng: np.random.Generator) -> list[int]:
        """Numbers of other scenes: any, or ones of the last samples of the epoch."""
        if not self.augmentation.cache:
            return [int(row) for row in rng.integers(0, len(self.scenes), count)]
        back = rng.integers(1, self.augmentation.cache + 1, count)
        return [self.order[(index - int(step)) % len(self.order)] for step in back]

    def _load(self, row: int) -> Piece:
        """A whole scene; with a cache its pixels stay for the samples that follow."""
        scene = self.scenes[row]
        image = self._decoded.pop(row, None)
        if image is None:
            image = scene.picture.load()
        if self.augmentation.cache:
            self._decoded[row] = image
            while len(self._decoded) > self.augmentation.cache:
                self._decoded.popitem(last=False)
        return Piece(image, scene.boxes, scene.labels, scene.ignored, scene.complete)


def collate(rows: list[Sample]) -> Batch:
    """Stack the pictures, keep the rest as lists."""
    images, boxes, labels, ignored, complete = zip(*rows, strict=True)
    return torch.stack(images), list(boxes), list(labels), list(ignored), list(complete)


def resize_and_crop(
    whole: Piece,
    size: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> Piece:
    """The picture scaled by a random factor of the size that fits, then a window of `size`."""
    image = whole.image
    height, width = image.shape[:2]
    fit = min(size[0] / width, size[1] / height)
    factor = fit * float(np.exp(rng.uniform(*np.log(scale))))
    new = (max(1, round(width * factor)), max(1, round(height * factor)))
    slack = [limit - side for limit, side in zip(size, new, strict=True)]
    # Larger than the window: a random part of it. Smaller: a random place in it.
    shift = [int(rng.integers(min(0, s), max(0, s) + 1)) for s in slack]
    x, y = new[0] / width, new[1] / height
    boxes, labels, ignored = _moved(whole, (x, y), shift, size)
    if factor < 0.5:  # as `Letterbox` does; an affine warp would leave pixels out
        image, x, y = cv2.resize(image, new, interpolation=cv2.INTER_AREA), 1.0, 1.0
    matrix = np.array([[x, 0, shift[0]], [0, y, shift[1]]])
    out = cv2.warpAffine(image, matrix, size, borderValue=(PAD, PAD, PAD))
    return Piece(np.asarray(out, np.uint8), boxes, labels, ignored, whole.complete)


def _moved(
    piece: Piece, stretch: Sequence[float], shift: Sequence[int], window: tuple[int, int]
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Boxes, classes and regions of a picture that is stretched and shifted into a window."""
    by, offset = np.tile(stretch, 2).astype(np.float32), np.tile(shift, 2).astype(np.float32)
    boxes, keep, sliver = _clip(piece.boxes * by + offset, window)
    regions = clip_boxes(piece.ignored * by + offset, window)
    ignored = np.concatenate([regions[box_area(regions) > 0], boxes[sliver]])
    return boxes[keep].astype(np.float32), piece.labels[keep], ignored.astype(np.float32)


def _clip(boxes: Floats, size: tuple[int, int]) -> tuple[Floats, Bools, Bools]:
    """Boxes limited to the window; which are still worth learning, and which are slivers of cut
    people, from which there is nothing to learn.
    """
    clipped = clip_boxes(boxes, size)
    area, whole = box_area(clipped), box_area(boxes)
    sides = (clipped[:, 2:] - clipped[:, :2]).min(axis=1, initial=np.inf)
    keep = (sides >= 4) & (area >= 0.2 * whole)
    return clipped, keep, ~keep & (area > 0)


def mosaic(
    parts: Sequence[Piece],
    size: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> Piece:
    """Four pictures, each as large as fits `size`, around a random point of a canvas of twice that
    size; of the canvas, scaled by a random factor, a window of `size`.

    Source: the mosaic of YOLOX, which RTMDet resizes and crops afterwards.
    """
    width, height = size
    whole = (2 * width, 2 * height)
    cross_x, cross_y = (int(rng.uniform(0.5, 1.5) * side) for side in size)
    canvas = np.full((whole[1], whole[0], 3), PAD, np.uint8)
    moved = []
    for number, part in enumerate(parts):
        rows, columns = part.image.shape[:2]
        fit = min(width / columns, height / rows)
        w, h = max(1, round(columns * fit)), max(1, round(rows * fit))
        how = cv2.INTER_AREA if fit < 0.5 else cv2.INTER_LINEAR
        image = cv2.resize(part.image, (w, h), interpolation=how)
        # One corner on the cross; what reaches over the canvas is cut.
        x, y = cross_x - w * (number % 2 == 0), cross_y - h * (number < 2)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + w, whole[0]), min(y + h, whole[1])
        canvas[top:bottom, left:right] = image[top - y : bottom - y, left - x : right - x]
        moved.append(_moved(part, (w / columns, h / rows), (x, y), whole))
    boxes, labels, ignored = (np.concatenate(each) for each in zip(*moved, strict=True))
    complete = all(part.complete for part in parts)
    joined = Piece(canvas, boxes, labels, ignored, complete)
    return resize_and_crop(joined, size, (2 * scale[0], 2 * scale[1]), rng)


def mixup(first: Piece, second: Piece) -> Piece:
    """Two pictures of one size, half and half, with the boxes of both. Source: YOLOX, RTMDet."""
    blend = cv2.addWeighted(first.image, 0.5, second.image, 0.5, 0)
    return Piece(
        np.asarray(blend, np.uint8),
        np.concatenate([first.boxes, second.boxes]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.ignored, second.ignored]),
        first.complete and second.complete,
    )
