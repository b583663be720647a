"""Boxes, similarities and crops: the only coordinate maths of the package."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.types import Bools, Floats, Image

_TINY = np.finfo(np.float32).tiny  # divides nothing by something where the divisor may be 0


def xywh_to_xyxy(boxes: npt.ArrayLike) -> Floats:
    """(N, 4) left, top, width, height -> left, top, right, bottom."""
    rows = np.asarray(boxes, np.float32).reshape(-1, 4)
    return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1)


def xyxy_to_xywh(boxes: npt.ArrayLike) -> Floats:
    """(N, 4) left, top, right, bottom -> left, top, width, height."""
    rows = np.asarray(boxes, np.float32).reshape(-1, 4)
    return np.concatenate([rows[:, :2], rows[:, 2:] - rows[:, :2]], axis=1)


def box_area(boxes: Floats) -> Floats:
    """(N,) areas; a box turned inside out has area 0."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def box_centers(boxes: Floats) -> Floats:
    """(N, 2) centres of xyxy boxes (N, 4)."""
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float32)


def box_diagonal(boxes: Floats) -> Floats:
    """(N,) lengths of the diagonals."""
    return np.asarray(np.hypot(*(boxes[:, 2:] - boxes[:, :2]).T), np.float32)


def clip_boxes(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Boxes (N, 4) limited to an image of (width, height)."""
    return np.minimum(np.maximum(boxes, 0), np.array([*size, *size], np.float32))


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4); 0 where the union is empty."""
    overlap = intersection(a, b)
    area = box_area(a)
    union = area[:, None] + (area if b is a else box_area(b)) - overlap
    return np.asarray(overlap / np.maximum(union, _TINY), np.float32)


def intersection(a: Floats, b: Floats) -> Floats:
    """(N, M) px^2 that boxes (N, 4) and (M, 4) share."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def covered_share(boxes: Floats) -> Floats:
    """(N,) the largest share of each box (N, 4) that lies in one of the others."""
    overlap = intersection(boxes, boxes)
    np.fill_diagonal(overlap, 0)
    most = overlap.max(axis=1, initial=0)
    return np.asarray(most / np.maximum(box_area(boxes), _TINY), np.float32)


def oks_matrix(
    a: Floats,
    b: Floats,
    *,
    variance: Floats,
    scale_sq: Floats,
    visible: Bools | None = None,
) -> Floats:
    """(N, M) object keypoint similarity of keypoints (N, K, 2) and (M, K, 2).

    ``mean_k exp(-d_k^2 / (2 * scale_sq * variance_k))`` over the keypoints in `visible` (N, M, K)
    or all. COCO's evaluation is ``variance=(2 sigma)^2, scale_sq=area``; MMDeploy's tracker is
    ``variance=sigma^2, scale_sq=(mean box diagonal)^2``: their thresholds do not interchange.

    Args:
        variance: (K,).
        scale_sq: (N, M) or broadcastable, px^2.
    """
    offset = a[:, None] - b  # (N, M, K, 2)
    offset *= offset
    distance_sq = offset[..., 0] + offset[..., 1]
    scale = np.maximum(np.asarray(scale_sq, np.float32), 1e-9)[..., None]
    near = np.exp(distance_sq / (scale * (-2 * np.asarray(variance, np.float32))))
    if visible is None:
        return np.asarray(near.mean(axis=-1), np.float32)
    near *= visible
    count = visible.sum(axis=-1, dtype=np.float32)
    return np.asarray(near.sum(axis=-1) / np.maximum(count, 1), np.float32)


def keypoints_to_boxes(
    keypoints: Floats, visible: Bools, *, expand: float, size: tuple[int, int]
) -> Floats:
    """(N, 4) boxes around the visible (N, K) of keypoints (N, K, 2); zeros where none is.

    Their extent, grown by `expand` about its centre and clipped to the image (width, height)
    `size`. Source: MMDeploy PoseTracker, ``KeypointsToBbox``.
    """
    seen, anything = visible[..., None], visible.any(axis=1, keepdims=True)
    low = np.where(seen, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    low, high = np.where(anything, low, 0), np.where(anything, high, 0)
    centre, half = (low + high) / 2, (high - low) / 2 * expand
    boxes = np.concatenate([centre - half, centre + half], axis=1, dtype=np.float32)
    return clip_boxes(boxes, size)


def greedy_nms(rank: npt.NDArray[np.floating], similarity: Floats, threshold: float) -> Bools:
    """(N,) rows kept: by falling `rank`, each kept row drops later ones with
    ``similarity >= threshold``. Equal ranks keep their order.
    """
    order = np.argsort(-rank, kind="stable")
    keep = np.ones(len(rank), bool)
    for place, i in enumerate(order):
        if keep[i]:
            later = order[place + 1 :]
            keep[later[similarity[i, later] >= threshold]] = False
    return keep


@dataclass(frozen=True, slots=True)
class CropTransform:
    """The affine crops a top-down network sees: scaling about the box centre.

    Attributes:
        centers: (N, 2) source px.
        scales: (N, 2) width and height in source px that fill the input.
        input_size: (width, height) of the network input.
        udp: the edges of the scaled box lie on the centres of the first and the last pixel, as
            UDP cuts its crops (Huang et al., CVPR 2020), not on their outer edges.
    """

    centers: Floats
    scales: Floats
    input_size: tuple[int, int]
    udp: bool = False

    @classmethod
    def from_boxes(
        cls,
        boxes: Floats,
        input_size: tuple[int, int],
        padding: float = 1.25,
        *,
        udp: bool = False,
    ) -> CropTransform:
        """Crops around boxes (N, 4), grown by `padding`, the short side grown to the input's
        aspect. Source: MMPose ``TopDownGetBboxCenterScale`` and ``TopdownAffine``.
        """
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        width, height = np.maximum((boxes[:, 2:] - boxes[:, :2]).T * padding, 1e-3)
        aspect = input_size[0] / input_size[1]
        width, height = np.maximum(width, height * aspect), np.maximum(height, width / aspect)
        scales = np.stack([width, height], axis=1)
        return cls(centers.astype(np.float32), scales.astype(np.float32), input_size, udp)

    @classmethod
    def stretching(cls, boxes: Floats, input_size: tuple[int, int]) -> CropTransform:
        """Crops that are the boxes (N, 4) themselves, each side stretched to the input's."""
        scales = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
        return cls(box_centers(boxes), np.asarray(scales, np.float32), input_size)

    def __len__(self) -> int:
        return len(self.centers)

    def matrices(self) -> npt.NDArray[np.float64]:
        """(N, 2, 3) source px -> input px: the box centre lands on the middle."""
        size = np.array(self.input_size, np.float64) - self.udp
        ratio = size / self.scales
        matrices = np.zeros((len(self), 2, 3))
        matrices[:, 0, 0], matrices[:, 1, 1] = ratio.T
        matrices[:, :, 2] = size / 2 - self.centers * ratio
        return matrices

    def placements(self, size: tuple[int, int]) -> Floats:
        """(N, 2, 3) px of a map of (width, height) `size` that spans the crop -> source px."""
        ratio = self.scales / np.array(size, np.float32)
        placements = np.zeros((len(self), 2, 3), np.float32)
        placements[:, 0, 0], placements[:, 1, 1] = ratio.T
        placements[:, :, 2] = self.centers - self.scales / 2
        return placements

    def crop(self, image: Image, row: int, out: Image | None = None) -> Image:
        """The (h, w, 3) crop of one person, bilinear, black outside the image."""
        matrix = self.matrices()[row]
        return np.asarray(
            cv2.warpAffine(image, matrix, self.input_size, dst=out, flags=cv2.INTER_LINEAR),
            np.uint8,
        )

    def forward(self, keypoints: Floats) -> Floats:
        """(N, K, 2) source px -> shares of the crop times `input_size`."""
        ratio = (np.array(self.input_size, np.float32) / self.scales)[:, None]
        half = np.array(self.input_size, np.float32) / 2
        return np.asarray((keypoints - self.centers[:, None]) * ratio + half, np.float32)

    def inverse(self, keypoints_crop: Floats) -> Floats:
        """(N, K, 2) shares of the crop times `input_size` -> source px; inverse of `forward`."""
        ratio = (self.scales / np.array(self.input_size, np.float32))[:, None]
        half = np.array(self.input_size, np.float32) / 2
        return np.asarray((keypoints_crop - half) * ratio + self.centers[:, None], np.float32)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Aspect-keeping resize into a fixed input, top-left aligned, padded right and bottom.

    Attributes:
        source_size: (width, height) of the image.
        input_size: (width, height) of the network input.
    """

    source_size: tuple[int, int]
    input_size: tuple[int, int]

    @property
    def resized(self) -> tuple[int, int]:
        """(width, height) of the image inside the input."""
        ratio = self.ratio
        return tuple(  # type: ignore[return-value]
            max(1, min(limit, int(side * ratio + 0.5)))
            for side, limit in zip(self.source_size, self.input_size, strict=True)
        )

    @property
    def ratio(self) -> float:
        """Input px per source px, before rounding to whole pixels."""
        (w, h), (tw, th) = self.source_size, self.input_size
        return min(tw / w, th / h)

    def cropped(self, stride: int) -> Letterbox:
        """The same without the padding of whole strides, in the same scale to half a pixel."""
        width, height = (
            min(limit, -(-side // stride) * stride)
            for side, limit in zip(self.resized, self.input_size, strict=True)
        )
        return Letterbox(self.source_size, (width, height))

    def resize(self, image: Image, pad: int = 114, out: Image | None = None) -> Image:
        """The (h, w, 3) input picture."""
        width, height = self.input_size
        canvas = np.empty((height, width, 3), np.uint8) if out is None else out
        w, h = self.resized
        canvas[h:], canvas[:, w:] = pad, pad
        # Exact halving averages 2x2 pixels and is cheap; alone, either plain interpolation
        # (which skips pixels) or area interpolation (three times slower) would be used.
        while image.shape[1] >= 2 * w and image.shape[0] >= 2 * h and w > 1 and h > 1:
            half = (image.shape[1] // 2, image.shape[0] // 2)
            image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
        cv2.resize(image, (w, h), dst=canvas[:h, :w], interpolation=cv2.INTER_LINEAR)
        return canvas

    def inverse(self, boxes: Floats) -> Floats:
        """Boxes (N, 4) in input px -> source px."""
        factor = np.array(self.source_size, np.float32) / np.array(self.resized, np.float32)
        return np.asarray(boxes * np.tile(factor, 2), np.float32)


def rotated_crop_matrix(
    center: npt.ArrayLike,
    scale: npt.ArrayLike,
    rotation_deg: float,
    input_size: tuple[int, int],
    *,
    udp: bool = False,
) -> npt.NDArray[np.float64]:
    """(2, 3) source px -> input px for one crop turned by `rotation_deg` about its centre.

    With rotation 0 it is the matrix of `CropTransform`; training turns crops, inference does not.
    """
    size = np.array(input_size, np.float64) - udp
    angle = np.deg2rad(rotation_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = (size / np.asarray(scale, np.float64))[:, None] * turn
    offset = size / 2 - linear @ np.asarray(center, np.float64)
    return np.concatenate([linear, offset[:, None]], axis=1)


def transform_points(points: npt.ArrayLike, matrix: npt.NDArray[np.float64]) -> Floats:
    """Points (..., 2) through an affine (2, 3)."""
    return np.asarray(np.asarray(points) @ matrix[:, :2].T + matrix[:, 2], np.float32)
