"""Pictures with boxes as training samples: mosaic, random resize and crop, colour, mirror."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from posetrack.datasets.scenes import Scene
from posetrack.geometry import box_area, clip_boxes
from posetrack.training.augment import photometric
from posetrack.types import Floats, Image

PAD = 114


@dataclass(frozen=True, slots=True)
class DetectionAugmentation:
    """Strengths for detector pictures; stage 1 of RTMDet-nano.

    Attributes:
        flip: probability of mirroring.
        scale: (low, high) factor on the picture that fills the input.
        mosaic: probability of four pictures in one.
        photometric: probability of changing brightness, contrast and colour.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": False}

    flip: float = 0.5
    scale: tuple[float, float] = (0.5, 1.5)
    mosaic: float = 0.5
    photometric: float = 0.8


class DetectionSamples(Dataset[tuple[Tensor, Tensor, Tensor, bool]]):
    """Pictures (3, H, W) uint8 BGR, boxes (G, 4), ignore regions (I, 4), complete."""

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

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, bool]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        how = self.augmentation
        scene = self.scenes[self.order[index]]
        if rng.random() < how.mosaic:
            others = [self.scenes[i] for i in rng.integers(0, len(self.scenes), 3)]
            parts = [scene, *others]
            image, boxes, ignored = mosaic(parts, self.input_size, rng)
            complete = all(part.complete for part in parts)
        else:
            image, boxes, ignored = resize_and_crop(scene, self.input_size, how.scale, rng)
            complete = scene.complete
        if rng.random() < how.flip:
            width = self.input_size[0]
            image = np.ascontiguousarray(image[:, ::-1])
            boxes, ignored = (_mirror(b, width) for b in (boxes, ignored))
        if rng.random() < how.photometric:
            image = photometric(image, rng)
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return tensor, torch.from_numpy(boxes), torch.from_numpy(ignored), complete


def collate(
    rows: list[tuple[Tensor, Tensor, Tensor, bool]],
) -> tuple[Tensor, list[Tensor], list[Tensor], list[bool]]:
    """Stack the pictures, keep the boxes as lists."""
    images, boxes, ignored, complete = zip(*rows, strict=True)
    return torch.stack(images), list(boxes), list(ignored), list(complete)


def _mirror(boxes: Floats, width: int) -> Floats:
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = width - 1 - boxes[:, [2, 0]]
    return mirrored


def resize_and_crop(
    scene: Scene,
    size: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Image, Floats, Floats]:
    """The picture scaled by a random factor of the size that fits, then a window of `size`."""
    image = scene.picture.load()
    height, width = image.shape[:2]
    fit = min(size[0] / width, size[1] / height)
    factor = fit * float(np.exp(rng.uniform(*np.log(scale))))
    new = (max(1, round(width * factor)), max(1, round(height * factor)))
    slack = [limit - side for limit, side in zip(size, new, strict=True)]
    # Larger than the window: a random part of it. Smaller: a random place in it.
    shift = [int(rng.integers(min(0, s), max(0, s) + 1)) for s in slack]
    stretch = np.tile([new[0] / width, new[1] / height], 2).astype(np.float32)
    offset = np.tile(shift, 2).astype(np.float32)
    x, y = stretch[:2]
    if factor < 0.5:  # as `Letterbox` does; an affine warp would leave pixels out
        image, x, y = cv2.resize(image, new, interpolation=cv2.INTER_AREA), 1.0, 1.0
    matrix = np.array([[x, 0, shift[0]], [0, y, shift[1]]])
    out = cv2.warpAffine(image, matrix, size, borderValue=(PAD, PAD, PAD))
    boxes, spill = _clip(scene.boxes * stretch + offset, size)
    ignored = np.concatenate(_clip(scene.ignored * stretch + offset, size))
    return np.asarray(out, np.uint8), boxes, np.concatenate([ignored, spill])


def _clip(boxes: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Boxes inside the window, and the slivers of cut people, which are nothing to learn from."""
    clipped = clip_boxes(boxes, size)
    area, whole = box_area(clipped), box_area(boxes)
    sides = (clipped[:, 2:] - clipped[:, :2]).min(axis=1, initial=np.inf)
    keep = (sides >= 4) & (area >= 0.2 * whole)
    sliver = ~keep & (area > 0)
    return clipped[keep].astype(np.float32), clipped[sliver].astype(np.float32)


def mosaic(
    parts: Sequence[Scene],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Image, Floats, Floats]:
    """Four pictures about a random cross. Source: YOLOv4 mosaic, each part cut to its quarter."""
    width, height = size
    cut_x, cut_y = (int(rng.uniform(0.3, 0.7) * side) for side in size)
    canvas = np.empty((height, width, 3), np.uint8)
    boxes, ignored = [], []
    quarters = (
        (0, 0, cut_x, cut_y),
        (cut_x, 0, width, cut_y),
        (0, cut_y, cut_x, height),
        (cut_x, cut_y, width, height),
    )
    for scene, (left, top, right, bottom) in zip(parts, quarters, strict=True):
        window = (right - left, bottom - top)
        image, inside, regions = resize_and_crop(scene, window, (0.8, 2.0), rng)
        canvas[top:bottom, left:right] = image
        offset = np.array([left, top, left, top], np.float32)
        boxes.append(inside + offset)
        ignored.append(regions + offset)
    return canvas, np.concatenate(boxes), np.concatenate(ignored)
