"""Random changes of crops and pictures. Every function takes its generator, so samples repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from pydantic import AfterValidator, Field

from posetrack.skeletons import Skeleton
from posetrack.types import Floats, Image


def low_high(pair: tuple[float, float]) -> tuple[float, float]:
    """The pair, which must not fall. Raises ValueError."""
    if pair[0] > pair[1]:
        raise ValueError("the first must not be larger than the second")
    return pair


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Scale = Annotated[tuple[Positive, Positive], AfterValidator(low_high)]


@dataclass(frozen=True, slots=True)
class PoseAugmentation:
    """Strengths for top-down pose crops; the defaults are stage 1 of RTMPose.

    Attributes:
        flip: probability of mirroring.
        half_body: probability of cropping to the upper or lower body where enough is visible.
        truncate: probability of a picture that ends below the upper body, as of somebody at a desk.
        absent: weight of joints that the crop does not show; their labels are flat, so that what
            is not there gets a low score. RTMPose leaves them out.
        shift: largest shift as a share of the crop, and `shift_probability`.
        scale: (low, high) factor on the crop's size.
        rotation_deg: largest turn, and `rotation_probability`.
        photometric: probability of changing brightness, contrast and colour.
        blur: probability of a Gaussian, and of a median blur.
        dropout: probability of one grey hole, `dropout_size` as shares of the crop's sides.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": False}

    flip: Share = 0.5
    half_body: Share = 0.3
    truncate: Share = 0.0
    absent: Share = 0.0
    shift: Annotated[float, Field(ge=0)] = 0.16
    shift_probability: Share = 0.3
    scale: Scale = (0.6, 1.4)
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 80.0
    rotation_probability: Share = 0.6
    photometric: Share = 0.8
    blur: Share = 0.1
    dropout: Share = 1.0
    dropout_size: Annotated[tuple[Share, Share], AfterValidator(low_high)] = (0.2, 0.4)


def truncated_normal(rng: np.random.Generator) -> float:
    """A normal draw of standard deviation 0.5 limited to [-1, 1]."""
    return float(np.clip(rng.normal(0.0, 0.5), -1, 1))


def half_body(
    keypoints: Floats, weights: Floats, skeleton: Skeleton, rng: np.random.Generator
) -> tuple[Floats, Floats] | None:
    """Centre and size (width, height) around the upper or lower body, grown by 1.5.

    None where fewer than 9 joints are visible (or half of K, if less), or neither half shows
    enough: 2 (upper) or 3 (lower). Source: MMPose ``RandomHalfBody``.
    """
    visible = weights > 0
    if visible.sum() < min(9, (len(skeleton) + 1) // 2) or not skeleton.upper:
        return None
    upper = [i for i in skeleton.upper if visible[i]]
    lower = [i for i in skeleton.lower if visible[i]]
    prefer_upper = rng.random() < 0.7
    halves = [half for half, least in ((upper, 2), (lower, 3)) if len(half) >= least]
    if not halves:
        return None
    chosen = halves[0 if prefer_upper else -1]
    low, high = keypoints[chosen].min(0), keypoints[chosen].max(0)
    return (low + high) / 2, np.maximum((high - low) * 1.5, 8.0)


def lower_edge(
    keypoints: Floats, weights: Floats, skeleton: Skeleton, rng: np.random.Generator
) -> float | None:
    """Where a picture ends that shows the upper body: y px, between the middles of both halves.

    None for somebody who is not upright, or shows fewer than 2 joints of either half.
    """
    upper, lower = (
        keypoints[[i for i in half if weights[i] > 0], 1]
        for half in (skeleton.upper, skeleton.lower)
    )
    if min(len(upper), len(lower)) < 2 or upper.mean() >= lower.mean():
        return None
    return float(rng.uniform(upper.mean(), lower.mean()))


def part_above(box: Floats, keypoints: Floats, weights: Floats, edge: float) -> Floats | None:
    """The box (x1, y1, x2, y2) of who is seen above `edge`: not wider than the joints there need.

    None where fewer than 2 joints are above, or what is left is smaller than 32 px.
    """
    inside = keypoints[(weights > 0) & (keypoints[:, 1] < edge), 0]
    height = edge - box[1]
    if len(inside) < 2 or height < 32:
        return None
    margin = 0.2 * height  # from the joints to the outline
    left, right = max(box[0], inside.min() - margin), min(box[2], inside.max() + margin)
    return np.array([left, box[1], right, edge], np.float32)


def photometric(image: Image, rng: np.random.Generator) -> Image:
    """Brightness, contrast, saturation and hue, as one table and one colour matrix."""
    alpha, beta = rng.uniform(0.6, 1.4), rng.uniform(-32, 32)
    gamma = rng.uniform(0.8, 1.25)
    levels = np.arange(256, dtype=np.float32)
    table = np.clip(255 * (levels / 255) ** gamma * alpha + beta, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table), np.uint8)
    if rng.random() < 0.5:
        # Saturation about the grey axis and a small per-channel gain stand in for the HSV trip.
        saturation, gain = rng.uniform(0.4, 1.6), rng.uniform(0.9, 1.1, 3)
        grey = np.array([[0.114, 0.587, 0.299]] * 3)
        matrix = gain[:, None] * (saturation * np.eye(3) + (1 - saturation) * grey)
        image = np.asarray(cv2.transform(image, matrix), np.uint8)
    return image


def degrade(image: Image, rng: np.random.Generator, probability: float) -> Image:
    """Gaussian blur, median blur, and the loss of a small picture blown up, each by chance."""
    if rng.random() < probability:
        sigma = float(rng.uniform(0.5, 2.0))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    if rng.random() < probability:
        image = np.asarray(cv2.medianBlur(image, int(rng.choice([3, 5]))), np.uint8)
    if rng.random() < probability:
        height, width = image.shape[:2]
        factor = rng.uniform(2, 4)
        small = cv2.resize(image, (max(1, int(width / factor)), max(1, int(height / factor))))
        image = np.asarray(cv2.resize(small, (width, height)), np.uint8)
    return image


def coarse_dropout(image: Image, rng: np.random.Generator, size: tuple[float, float]) -> None:
    """Cover one rectangle of the picture, in place."""
    height, width = image.shape[:2]
    w, h = (max(1, int(rng.uniform(*size) * side)) for side in (width, height))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    image[y : y + h, x : x + w] = rng.integers(0, 256, 3) if rng.random() < 0.5 else 0
