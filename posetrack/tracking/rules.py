"""The settings made concrete for one keypoint set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from posetrack.errors import ConfigError
from posetrack.skeletons import Skeleton
from posetrack.tracking.motion import Noise
from posetrack.tracking.settings import BIRTH, TrackerSettings
from posetrack.types import Floats


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tracker of K keypoints goes by.

    Attributes:
        settings: as given.
        visible: least score of a visible keypoint.
        min_keypoints: least number of them.
        birth_score: least mean score of a new or returning person.
        variance: (K,) of OKS, under ``settings.oks_scale``.
        noise: of the box filter.
    """

    settings: TrackerSettings
    visible: float
    min_keypoints: int
    birth_score: float
    variance: Floats
    noise: Noise

    @classmethod
    def of(cls, settings: TrackerSettings, skeleton: Skeleton) -> Self:
        """The rules for `skeleton`.

        Raises:
            ConfigError: no keypoint threshold, or sigmas of another keypoint set.
        """
        visible, sigmas, k = settings.keypoint_threshold, settings.keypoint_sigmas, len(skeleton)
        if visible is None:
            raise ConfigError(
                "keypoint_threshold is not known: set it, or take it from the model card with "
                "TrackerSettings.resolved()"
            )
        if sigmas is not None and len(sigmas) != k:
            raise ConfigError(
                f"keypoint_sigmas has {len(sigmas)} values but {skeleton.name} {k} keypoints: "
                "give one a keypoint"
            )
        few = (k + 1) // 2 if settings.min_keypoints is None else min(settings.min_keypoints, k)
        birth = BIRTH * visible if settings.birth_score is None else settings.birth_score
        spread = np.asarray(sigmas or skeleton.sigmas, np.float32) ** 2
        factor = np.float32(4 if settings.oks_scale == "coco" else 1)
        noise = Noise(
            settings.box_noise,
            settings.box_position_noise,
            settings.box_velocity_noise,
            settings.box_initial_speed,
        )
        return cls(settings, visible, few, min(birth, 1.0), factor * spread, noise)
