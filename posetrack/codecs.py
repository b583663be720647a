"""Keypoint coordinates as what a network answers, encoded and decoded here.

SimCC, two one-dimensional classifications (Li et al., ECCV 2022), as used by RTMPose (arXiv
2303.07399), and heatmaps with the unbiased coordinates of UDP (Huang et al., CVPR 2020) and the
decoding of DARK (Zhang et al., CVPR 2020); a third classification for depth, as in RTMW3D; or
nothing, where the graph decodes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from posetrack.types import Floats, Ints

Codec: TypeAlias = "SimCC | SimCC3D | Heatmap | Decoded"

SIGMAS = {(192, 256): (4.9, 5.66), (256, 256): (5.66, 5.66), (288, 384): (6.0, 6.93)}
"""Published label widths in bins, by input (width, height)."""


@dataclass(frozen=True, slots=True)
class SimCC:
    """One bin is ``1 / split`` px of the crop.

    Attributes:
        input_size: (width, height) of the crop.
        split: bins a pixel.
        sigma: (x, y) label width in bins; the published value for the size, or scaled from it.
        score_scale: raw network scores are divided by this to lie in [0, 1].
    """

    input_size: tuple[int, int]
    split: float = 2.0
    sigma: tuple[float, float] | None = None
    score_scale: float = 1.0

    @property
    def udp(self) -> bool:
        """SimCC's crops are plain ones."""
        return False

    @property
    def outputs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names of the network's outputs in `decode`'s order, and their shapes past (N, K)."""
        x, y = self.bins
        return ("simcc_x", (x,)), ("simcc_y", (y,))

    @property
    def bins(self) -> tuple[int, int]:
        """Number of x and y bins."""
        width, height = self.input_size
        return round(width * self.split), round(height * self.split)

    @property
    def label_sigma(self) -> tuple[float, float]:
        """Label width in bins; other sizes scale as sqrt(side), which fits the published ones."""
        if self.sigma is not None:
            return self.sigma
        published = SIGMAS.get(self.input_size)
        if published is not None:
            return published
        x, y = (5.66 * (side / 256) ** 0.5 for side in self.input_size)
        return x, y

    def encode(self, keypoints_crop: Floats, visible: Floats) -> tuple[Floats, Floats, Floats]:
        """Gaussian labels for keypoints (N, K, 2) in crop px, `visible` (N, K) in [0, 1].

        A keypoint whose 3-sigma window lies wholly outside the crop gets weight 0. Labels are not
        normalised (their peak is 1).

        Returns:
            labels x (N, K, Wx), labels y (N, K, Wy), weights (N, K).
        """
        centre = np.round(np.asarray(keypoints_crop, np.float64) * self.split)
        weights = np.where(visible >= 0.5, visible, 0).astype(np.float32)
        labels = []
        for axis, (bins, sigma) in enumerate(zip(self.bins, self.label_sigma, strict=True)):
            mu = centre[..., axis]
            inside = (mu + 3 * sigma >= 0) & (mu - 3 * sigma < bins)
            weights = weights * inside
            offset = np.arange(bins, dtype=np.float32) - mu[..., None].astype(np.float32)
            labels.append(np.exp(-(offset**2) / (2 * sigma**2), dtype=np.float32))
        return labels[0], labels[1], weights.astype(np.float32)

    def decode(self, simcc_x: Floats, simcc_y: Floats) -> tuple[Floats, Floats]:
        """Keypoints (N, K, 2) in crop px and scores (N, K) in [0, 1] from raw logits.

        The score is the lower of the two peaks, as in MMPose; a keypoint whose peak is not
        positive was not found: score 0 (its coordinates stay the finite peak).
        """
        at = np.stack([simcc_x.argmax(axis=-1), simcc_y.argmax(axis=-1)], axis=-1)
        peak = np.minimum(simcc_x.max(axis=-1), simcc_y.max(axis=-1))  # (N, K)
        scores = np.clip(peak / self.score_scale, 0, 1)
        return (at / self.split).astype(np.float32), scores.astype(np.float32)

    def heat(self, simcc_x: Floats, simcc_y: Floats) -> Floats:
        """(N, h, w) in [0, 1] a pixel of the crop: the product of each keypoint's two lines.

        Where keypoints meet, the root of the sum of their squares: nearly the strongest of them.
        """
        width, height = self.input_size
        x = _pooled(simcc_x / self.score_scale, width) ** 2  # (N, K, w)
        y = _pooled(simcc_y / self.score_scale, height) ** 2
        product = np.sqrt(np.matmul(y.transpose(0, 2, 1), x))
        return np.asarray(np.minimum(product, 1), np.float32)

    def average(
        self, answers: Sequence[Floats], mirrored: Sequence[Floats], order: Ints
    ) -> list[Floats]:
        """Logits of crops averaged with those of the mirrored crops (flip test).

        Pixel x of a crop of width W is pixel W - 1 - x of its mirror image, so bin b is bin
        ``bins - split - b`` there; MMPose takes ``bins - 1 - b``, which is half a pixel off.

        Args:
            answers: (N, K, Wx) and (N, K, Wy).
            order: (K,) `Skeleton.flip_order`.
        """
        bins = self.bins[0]
        there = np.clip(bins - round(self.split) - np.arange(bins), 0, bins - 1)
        x = (answers[0] + mirrored[0][:, order][:, :, there]) / 2
        y = (answers[1] + mirrored[1][:, order]) / 2
        return [x.astype(np.float32), y.astype(np.float32)]


Z_RANGE_M = 2.1744869
"""Metres before and behind the root that the z axis of RTMW3D covers."""


@dataclass(frozen=True, slots=True)
class SimCC3D(SimCC):
    """SimCC with a line for z, as long as the one for x, that stands for metres from the root.

    The middle bin is the root's depth, the first and the last lie `z_range_m` before and behind
    it. Source: ``SimCC3DLabel`` of MMPose's rtmpose3d, where a keypoint too far from the root for
    the axis loses its x and y too, and not only its depth.

    Attributes:
        z_range_m: half the length of the z axis.
    """

    z_range_m: float = Z_RANGE_M

    @property
    def outputs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names of the network's outputs in `decode`'s order, and their shapes past (N, K)."""
        x, y = self.bins
        return ("simcc_x", (x,)), ("simcc_y", (y,)), ("simcc_z", (x,))

    def encode_depth(self, depths: Floats, known: Floats) -> tuple[Floats, Floats]:
        """Labels for depths (N, K) in metres from the root, `known` (N, K) in [0, 1].

        Returns:
            labels z (N, K, Wx), weights (N, K): 0 where the depth is not known or off the axis.
        """
        bins, sigma = self.bins[0], self.label_sigma[0]
        mu = np.round((np.asarray(depths, np.float64) / self.z_range_m + 1) * (bins / 2))
        inside = (mu + 3 * sigma >= 0) & (mu - 3 * sigma < bins)
        weights = np.where(known >= 0.5, known, 0) * inside
        offset = np.arange(bins, dtype=np.float32) - mu[..., None].astype(np.float32)
        labels = np.exp(-(offset**2) / (2 * sigma**2), dtype=np.float32)
        return labels, weights.astype(np.float32)

    def decode(  # type: ignore[override]
        self, simcc_x: Floats, simcc_y: Floats, simcc_z: Floats
    ) -> tuple[Floats, Floats]:
        """Keypoints (N, K, 3), x and y in crop px, z in metres from the root, and scores (N, K).

        The score is that of x and y, as in MMPose.
        """
        keypoints, scores = SimCC.decode(self, simcc_x, simcc_y)
        half = self.bins[0] / 2
        z = (simcc_z.argmax(axis=-1) / half - 1) * self.z_range_m
        return np.concatenate([keypoints, z[..., None].astype(np.float32)], axis=-1), scores

    def heat(self, simcc_x: Floats, simcc_y: Floats, simcc_z: Floats) -> Floats:  # type: ignore[override]  # noqa: ARG002
        """As of `SimCC`, of x and y."""
        return SimCC.heat(self, simcc_x, simcc_y)

    def average(
        self, answers: Sequence[Floats], mirrored: Sequence[Floats], order: Ints
    ) -> list[Floats]:
        """As of `SimCC`; a mirror image has the same depths."""
        flat = SimCC.average(self, answers[:2], mirrored[:2], order)
        return [*flat, ((answers[2] + mirrored[2][:, order]) / 2).astype(np.float32)]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """One map a keypoint, a cell for every `stride` px of the crop.

    Attributes:
        input_size: (width, height) of the crop.
        stride: px of the crop from cell to cell.
        sigma: label width in cells.
        udp: the first and the last cell lie on the first and the last pixel, and the crop was cut
            so (`CropTransform.matrices`); else every cell stands for its `stride` pixels.
        score_scale: peaks are divided by this to lie in [0, 1].
    """

    input_size: tuple[int, int]
    stride: int = 4
    sigma: float = 2.0
    udp: bool = True
    score_scale: float = 1.0

    @property
    def outputs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names of the network's outputs in `decode`'s order, and their shapes past (N, K)."""
        return (("heatmaps", self.size[::-1]),)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a map."""
        width, height = self.input_size
        return width // self.stride, height // self.stride

    def encode(self, keypoints_crop: Floats, visible: Floats) -> tuple[Floats, Floats]:
        """Gaussian maps for keypoints (N, K, 2) in crop px, `visible` (N, K) in [0, 1].

        A keypoint whose 3-sigma window lies wholly outside the map gets weight 0.

        Returns:
            maps (N, K, h, w) with peak 1, weights (N, K).
        """
        at = np.asarray(keypoints_crop, np.float32) / self._step(of_crop=True)  # cells
        if not self.udp:
            at = np.floor(at + 0.5)
        weights = np.where(visible >= 0.5, visible, 0).astype(np.float32)
        lines = []
        for axis, cells in enumerate(self.size):
            mu, reach = at[..., axis], 3 * self.sigma
            weights = weights * ((mu + reach >= 0) & (mu - reach < cells))
            offset = np.arange(cells, dtype=np.float32) - mu[..., None]
            lines.append(np.exp(-(offset**2) / (2 * self.sigma**2)))
        maps = lines[1][..., :, None] * lines[0][..., None, :]
        return maps.astype(np.float32), weights.astype(np.float32)

    def decode(self, heatmaps: Floats) -> tuple[Floats, Floats]:
        """Keypoints (N, K, 2) in crop px and scores (N, K) in [0, 1] from maps (N, K, h, w).

        The peak's cell, moved to the top of the parabola through the logarithm of the smoothed map
        (DARK); a peak at the border stays where it is. The score is the peak.
        """
        n, k, height, width = heatmaps.shape
        flat = heatmaps.reshape(n * k, height * width)
        index = flat.argmax(axis=1)
        peaks = flat[np.arange(n * k), index]
        cells = np.stack([index % width, index // width], axis=1)
        moved = cells + _towards_top(heatmaps.reshape(n * k, height, width), cells, self.sigma)
        keypoints = (moved * self._step(of_crop=False)).reshape(n, k, 2)
        scores = np.clip(peaks / self.score_scale, 0, 1).reshape(n, k)
        return keypoints.astype(np.float32), scores.astype(np.float32)

    def heat(self, heatmaps: Floats) -> Floats:
        """(N, h, w) in [0, 1] a cell: the hottest keypoint of each."""
        return np.asarray(np.clip(heatmaps.max(axis=1) / self.score_scale, 0, 1), np.float32)

    def average(
        self, answers: Sequence[Floats], mirrored: Sequence[Floats], order: Ints
    ) -> list[Floats]:
        """Maps (N, K, h, w) of crops averaged with those of the mirrored crops (flip test).

        The mirror image of a UDP crop has the cells in reverse. Of a plain crop, cell c stands for
        pixel c * stride, which is nearest to cell w - c there.
        """
        there = mirrored[0][:, order][..., ::-1]
        if not self.udp:
            there = np.concatenate([there[..., :1], there[..., :-1]], axis=-1)
        return [((answers[0] + there) / 2).astype(np.float32)]

    def _step(self, *, of_crop: bool) -> Floats:
        """Crop px from cell to cell.

        A UDP crop holds one interval less than it has pixels. What is decoded is stretched to
        whole pixels, so that `CropTransform.inverse` is the same for every codec.
        """
        crop, cells = np.array(self.input_size, np.float32), np.array(self.size, np.float32)
        if not self.udp:
            return np.asarray(crop / cells, np.float32)
        return np.asarray((crop - 1 if of_crop else crop) / (cells - 1), np.float32)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Keypoints that the graph decodes by itself (`posetrack.export.fold`).

    Attributes:
        input_size: (width, height) of the crop.
        score_scale: raw scores are divided by this to lie in [0, 1].
    """

    input_size: tuple[int, int]
    score_scale: float = 1.0

    @property
    def udp(self) -> bool:
        """Crops are plain ones, as those of SimCC."""
        return False

    @property
    def outputs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The name of the network's output, and its shape past (N, K)."""
        return (("keypoints", (3,)),)

    def decode(self, keypoints: Floats) -> tuple[Floats, Floats]:
        """Keypoints (N, K, 2) in crop px and scores (N, K) in [0, 1] from x, y, raw score."""
        scores = np.clip(keypoints[..., 2] / self.score_scale, 0, 1)
        return keypoints[..., :2].astype(np.float32), scores.astype(np.float32)

    def average(
        self, answers: Sequence[Floats], mirrored: Sequence[Floats], order: Ints
    ) -> list[Floats]:
        """The mean of what crops and mirrored crops gave, (N, K, 3) each (flip test).

        Of coordinates, where the other codecs average what they are read from: worth a little less.
        """
        there = mirrored[0][:, order]
        x = self.input_size[0] - 1 - there[..., :1]
        there = np.concatenate([x, there[..., 1:]], axis=-1)
        return [((answers[0] + there) / 2).astype(np.float32)]


def _pooled(lines: Floats, size: int) -> Floats:
    """(N, K, size) the strongest of the bins (N, K, B) that share a pixel, not below 0."""
    starts = np.arange(size) * lines.shape[-1] // size
    return np.maximum(np.maximum.reduceat(lines, starts, axis=-1), 0)


def _towards_top(maps: Floats, cells: Floats, sigma: float) -> Floats:
    """(M, 2) Newton step from the peak cells (M, 2) of `maps` (M, h, w) towards the real top."""
    height, width = maps.shape[1:]
    step = np.zeros((len(maps), 2), np.float32)
    kernel = 2 * round(2.5 * sigma) + 1
    inside = ((cells >= 1) & (cells < np.array([width, height]) - 1)).all(axis=1)
    for row in np.flatnonzero(inside):
        x, y = cells[row]
        smooth = cv2.GaussianBlur(maps[row], (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT)
        near = np.log(np.maximum(smooth[y - 1 : y + 2, x - 1 : x + 2], 1e-10))
        slope = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2
        xx = near[1, 2] - 2 * near[1, 1] + near[1, 0]
        yy = near[2, 1] - 2 * near[1, 1] + near[0, 1]
        xy = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
        bend = xx * yy - xy * xy
        if xx < 0 and bend > 1e-12:  # a top, not a ridge or a flat
            move = np.array([xy * slope[1] - yy * slope[0], xy * slope[0] - xx * slope[1]]) / bend
            step[row] = np.clip(move, -1, 1)
    return step
