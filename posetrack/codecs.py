"""SimCC: keypoint coordinates as two one-dimensional classifications, encoded and decoded here.

Source: SimCC (Li et al., ECCV 2022) as used by RTMPose (arXiv 2303.07399).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetrack.types import Floats

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
