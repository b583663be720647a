"""People as training samples: an augmented crop and its SimCC labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from posetrack.codecs import Heatmap, SimCC, SimCC3D
from posetrack.datasets.annotations import Person, depths_from_root
from posetrack.geometry import rotated_crop_matrix, transform_points
from posetrack.skeletons import Skeleton
from posetrack.training.augment import (
    PoseAugmentation,
    coarse_dropout,
    degrade,
    half_body,
    lower_edge,
    part_above,
    photometric,
    truncated_normal,
)
from posetrack.types import Floats, Image

PADDING = 1.25
_NOWHERE = np.float32(-1e6)


@dataclass(frozen=True, slots=True)
class PoseGeometry:
    """What a pose network eats: RGB crops, normalised. Mean and std are ImageNet's."""

    codec: SimCC | Heatmap
    skeleton: Skeleton
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)


def crop_size(box: Floats, input_size: tuple[int, int], padding: float = PADDING) -> Floats:
    """(width, height) px of the crop around `box`, grown to the input's aspect."""
    width, height = np.maximum((box[2:] - box[:2]) * padding, 1.0)
    aspect = input_size[0] / input_size[1]
    return np.array([max(width, height * aspect), max(height, width / aspect)], np.float32)


class PoseSamples(Dataset[tuple[Tensor, ...]]):
    """Crops (3, H, W) uint8 RGB, the codec's labels, weights (K,).

    Labels are x (K, Wx) and y (K, Wy), or heatmaps (K, h, w). Of a codec with depth there follow
    labels z (K, Wx) and their weights (K,), 0 for people of whom only two dimensions are known.

    `order` names the people of this epoch; sample i is made by a generator seeded with
    (seed, epoch, i), so it does not depend on the number of workers.
    """

    def __init__(
        self,
        people: Sequence[Person],
        order: Sequence[int],
        geometry: PoseGeometry,
        augmentation: PoseAugmentation | None,
        *,
        seed: int,
        epoch: int,
    ) -> None:
        self.people, self.order = people, order
        self.geometry, self.augmentation = geometry, augmentation
        self.seed, self.epoch = seed, epoch

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        person = self.people[self.order[index]]
        rng = np.random.default_rng((self.seed, self.epoch, index))
        crop, keypoints, weights, mirrored = self._augmented(person, rng)
        codec = self.geometry.codec
        labelled = weights > 0
        *labels, visible = codec.encode(keypoints[None], labelled[None].astype(np.float32))
        shown = visible[0] * weights
        absent = 0.0 if self.augmentation is None else self.augmentation.absent
        learned = np.where(labelled & (shown == 0), absent * weights, shown)
        tensor = torch.from_numpy(np.ascontiguousarray(crop[..., ::-1].transpose(2, 0, 1)))
        joint = np.asarray(self.geometry.skeleton.weights, np.float32)
        return (
            tensor,
            *(torch.from_numpy(label[0]) for label in labels),
            torch.from_numpy(learned * joint),
            *self._depth(person, shown * joint, mirrored),
        )

    def _depth(self, person: Person, weights: Floats, mirrored: bool) -> tuple[Tensor, ...]:
        """Labels z (K, Wx) and weights (K,) for a codec that has them; rotation changes neither."""
        codec, skeleton = self.geometry.codec, self.geometry.skeleton
        if not isinstance(codec, SimCC3D):
            return ()
        depths, known = depths_from_root(person.space, skeleton)
        if mirrored:
            depths, known = depths[skeleton.flip_order], known[skeleton.flip_order]
        labels, seen = codec.encode_depth(depths[None], known[None])
        return torch.from_numpy(labels[0]), torch.from_numpy(seen[0] * weights)

    def crop(self, person: Person, rng: np.random.Generator) -> tuple[Image, Floats, Floats]:
        """Crop (h, w, 3) BGR uint8, keypoints (K, 2) in crop px, weights (K,)."""
        return self._augmented(person, rng)[:3]

    def _augmented(
        self, person: Person, rng: np.random.Generator
    ) -> tuple[Image, Floats, Floats, bool]:
        """What `crop` gives, and whether it is mirrored."""
        image = person.picture.load()
        keypoints, weights = person.keypoints, person.weights.copy()
        codec = self.geometry.codec
        center: Any = (person.box[:2] + person.box[2:]) / 2
        size: Any = crop_size(person.box, codec.input_size)
        turn, mirror = 0.0, False
        if (how := self.augmentation) is not None:
            mirror = rng.random() < how.flip
            cut = self._cut(person, rng) if how.truncate else None
            if cut is not None:
                edge, box = cut
                image = image[: int(edge)]
                # Far outside, where labels are flat and no crop sees them.
                keypoints = np.where(keypoints[:, 1:] < edge, keypoints, _NOWHERE)
                center, size = (box[:2] + box[2:]) / 2, crop_size(box, codec.input_size)
            elif rng.random() < how.half_body:
                half = half_body(keypoints, weights, self.geometry.skeleton, rng)
                if half is not None:
                    box = np.concatenate([half[0] - half[1] / 2, half[0] + half[1] / 2])
                    center, size = half[0], crop_size(box, codec.input_size, 1.0)
            if rng.random() < how.shift_probability:
                center = center + size * how.shift * np.array([truncated_normal(rng) for _ in "xy"])
            low, high = how.scale
            middle, reach = (low + high) / 2, (high - low) / 2
            size = size * (middle + reach * truncated_normal(rng))
            if rng.random() < how.rotation_probability:
                turn = how.rotation_deg * truncated_normal(rng)
        matrix = rotated_crop_matrix(center, size, turn, codec.input_size, udp=codec.udp)
        crop = np.asarray(cv2.warpAffine(image, matrix, codec.input_size), np.uint8)
        points = transform_points(keypoints, matrix)
        if mirror:
            crop = np.ascontiguousarray(crop[:, ::-1])
            points[:, 0] = codec.input_size[0] - 1 - points[:, 0]
            order = self.geometry.skeleton.flip_order
            points, weights = points[order], weights[order]
        if how is not None:
            crop = degrade(crop, rng, how.blur)
            if rng.random() < how.photometric:
                crop = photometric(crop, rng)
            if rng.random() < how.dropout:
                coarse_dropout(crop, rng, how.dropout_size)
        return crop, points, weights, mirror

    def _cut(self, person: Person, rng: np.random.Generator) -> tuple[float, Floats] | None:
        """By chance, where the picture is to end, y px, and the box of who is left there."""
        assert self.augmentation is not None
        if rng.random() >= self.augmentation.truncate:
            return None
        edge = lower_edge(person.keypoints, person.weights, self.geometry.skeleton, rng)
        if edge is None:
            return None
        box = part_above(person.box, person.keypoints, person.weights, edge)
        return None if box is None else (edge, box)
