"""What can be drawn along time of one person: angles, places and speeds of keypoints, scores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.formats.dense import Dense
from posetrack.kinematics.angles import angles_of, measure
from posetrack.kinematics.measures import speeds
from posetrack.records import Recording
from posetrack.skeletons import Skeleton

Doubles = npt.NDArray[np.float64]
_OF_KEYPOINTS = {"x": "px", "y": "px", "speed": "px/s", "score": ""}


@dataclass(frozen=True, slots=True)
class Curve:
    """Values at places in the recording's frames; NaN is a gap."""

    places: list[int]
    values: Doubles
    unit: str

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; a gap is null."""
        values = [None if np.isnan(v) else round(v, 2) for v in self.values.tolist()]
        return {"places": self.places, "values": values, "unit": self.unit}


def known_curves(skeleton: Skeleton) -> dict[str, list[str]]:
    """Names by group; angles first, as ``angle:left_knee``, then ``x:nose`` and so on."""
    found = {"angle": [f"angle:{each.name}" for each in angles_of(skeleton)]}
    for kind, point in product(_OF_KEYPOINTS, skeleton.keypoints):
        found.setdefault(kind, []).append(f"{kind}:{point}")
    return {group: names for group, names in found.items() if names}


def curve(recording: Recording, track_id: int, name: str, visible: float) -> Curve:
    """One quantity of one person.

    Args:
        visible: keypoints with a lower score are gaps.

    Raises:
        ConfigError: a person or a quantity that is not there.
    """
    skeleton = recording.header.skeleton
    if track_id not in recording.ids():
        raise ConfigError(f"there is no track {track_id}")
    kind, _, of = name.partition(":")
    if name not in known_curves(skeleton).get(kind, ()):
        raise ConfigError(f"there is no curve {name} of skeleton {skeleton.name}")
    one = Dense.of(recording, [track_id])
    keypoints, scores = one.keypoints[:, 0], one.scores[:, 0]
    values, unit = _values(one, kind, of, keypoints, np.where(scores < visible, 0.0, scores))
    looked_at = np.isin(one.frames, recording.frames)
    places = np.searchsorted(recording.frames, one.frames[looked_at])
    return Curve(places.tolist(), values[looked_at], unit)


def _values(
    one: Dense, kind: str, of: str, keypoints: Doubles, scores: Doubles
) -> tuple[Doubles, str]:
    skeleton = one.header.skeleton
    if kind == "angle":
        angle = next(each for each in angles_of(skeleton) if each.name == of)
        return measure(angle, skeleton, keypoints, scores), "°"
    index = skeleton.keypoints.index(of)
    unit = _OF_KEYPOINTS[kind]
    if kind == "score":
        raw = one.scores[:, 0, index]
        return np.where(one.present[:, 0], raw, np.nan), unit
    points = np.where(scores[:, index, None] > 0, keypoints[:, index], np.nan)
    if kind == "speed":
        return speeds(points, one.times_s), unit
    return points[:, "xy".index(kind)], unit
