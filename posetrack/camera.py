"""The camera behind the pictures: from keypoints in px with depths to metres in space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.types import Floats

Reals = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera without distortion, and how far away people are taken to be.

    Attributes:
        focal: (fx, fy) px.
        centre: (cx, cy) px of the optical axis.
        distance_m: from the camera to everybody's root along the axis. A network with depth tells
            depths from the root only, so what lies across the axis grows with this number.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    distance_m: float

    @classmethod
    def of(cls, numbers: Sequence[float], size: tuple[int, int], distance_m: float) -> Self:
        """From ``f``, ``fx, fy`` or ``fx, fy, cx, cy`` in px; the axis else meets the middle.

        Args:
            numbers: what is known.
            size: (width, height) of the pictures.
            distance_m: of everybody's root.

        Raises:
            ConfigError: another count, or no positive focal length or distance.
        """
        if len(numbers) not in (1, 2, 4) or min(*numbers[:2], distance_m) <= 0:
            given = ",".join(f"{number:g}" for number in numbers)
            raise ConfigError(
                f"camera {given} at {distance_m:g} m: give f, fx,fy or fx,fy,cx,cy in px and a "
                "distance in m, focal lengths and distance above 0"
            )
        middle = ((size[0] - 1) / 2, (size[1] - 1) / 2)
        centre = (numbers[2], numbers[3]) if len(numbers) == 4 else middle
        return cls((numbers[0], numbers[min(1, len(numbers) - 1)]), centre, distance_m)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        focal, centre = data["focal"], data["centre"]
        return cls((focal[0], focal[1]), (centre[0], centre[1]), data["distance_m"])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def positions(self, keypoints: Reals, depths: Reals) -> Floats:
        """(N, K, 3) metres from the camera: x right, y down, z away from it.

        Args:
            keypoints: (N, K, 2) px.
            depths: (N, K) metres from the root.
        """
        z = (depths + self.distance_m)[..., None]
        across = (keypoints - np.array(self.centre)) / np.array(self.focal) * z
        return np.concatenate([across, z], axis=-1).astype(np.float32)
