"""Joint and segment angles by name, in the plane of the picture.

Every angle is one of two kinds. A *joint* angle lies between two directions and is 0 to 180
degrees, whichever way the person faces::

    flexion  = 180 - angle at B between A and C    0 is straight   (knee, elbow)
    between  = angle between A -> B and C -> D     0 is parallel   (hip, shoulder, ankle)

A *segment* angle is the inclination of A -> B against the vertical, -180 to 180 degrees, positive
where B lies to the right of A in the picture: 0 is upright. A camera that looks along the axis of a
joint sees its true angle; from elsewhere it sees a projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from posetrack.kinematics import landmarks
from posetrack.skeletons import Skeleton

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Angle:
    """One angle.

    Attributes:
        name: ``right_knee``.
        kind: ``flexion`` of three landmarks, ``between`` two pairs, ``segment`` of two.
        landmarks: as the kind says.
        text: what it is, in words.
        coordinate: its name in OpenSim's models (Rajagopal 2016), where it has one.
        zero: subtracted from the angle.
    """

    name: str
    kind: Literal["flexion", "between", "segment"]
    landmarks: tuple[str, ...]
    text: str
    coordinate: str | None = None
    zero: float = 0.0

    @property
    def side(self) -> str:
        """``left``, ``right`` or ``middle``."""
        head = self.name.partition("_")[0]
        return head if head in ("left", "right") else "middle"


def _both(side: str) -> tuple[Angle, ...]:
    s, r = f"{side}_", side[0]
    hip, knee, ankle, heel, toe = (s + each for each in ("hip", "knee", "ankle", "heel", "big_toe"))
    shoulder, elbow, wrist = (s + each for each in ("shoulder", "elbow", "wrist"))
    trunk = ("neck", "hip")
    return (
        Angle(s + "knee", "flexion", (hip, knee, ankle),
              "knee flexion: thigh against shank, 0 straight", f"knee_angle_{r}"),
        Angle(s + "hip", "between", (*trunk, hip, knee),
              "hip flexion: trunk against thigh, 0 in line", f"hip_flexion_{r}"),
        Angle(s + "ankle", "between", (knee, ankle, heel, toe),
              "ankle dorsiflexion: shank against foot, 0 at a right angle",
              f"ankle_angle_{r}", 90.0),
        Angle(s + "elbow", "flexion", (shoulder, elbow, wrist),
              "elbow flexion: upper arm against forearm, 0 straight", f"elbow_flex_{r}"),
        Angle(s + "shoulder", "between", (*trunk, shoulder, elbow),
              "shoulder elevation: trunk against upper arm, 0 hanging", f"arm_flex_{r}"),
        Angle(s + "thigh", "segment", (knee, hip), "inclination of the thigh"),
        Angle(s + "shank", "segment", (ankle, knee), "inclination of the shank"),
    )  # fmt: skip


ANGLES: tuple[Angle, ...] = (
    *_both("left"),
    *_both("right"),
    Angle("trunk", "segment", ("hip", "neck"), "inclination of the trunk: mid-hip to neck"),
    Angle("head", "segment", ("neck", "nose"), "inclination of the head: neck to nose"),
)
"""Every angle there is a definition of."""


def angles_of(skeleton: Skeleton) -> tuple[Angle, ...]:
    """Those whose landmarks a keypoint set has."""
    return tuple(each for each in ANGLES if landmarks.has(skeleton, each.landmarks))


def angles_table() -> str:
    """The angles in Markdown, as docs/outputs.md has them; both sides in one line."""
    lines = ["| angle | landmarks | what | OpenSim |", "|---|---|---|---|"]
    for each in ANGLES:
        if each.side != "right":
            name, coordinate = each.name.removeprefix("left_"), each.coordinate or ""
            middle = {"hip": "mid-hip"}
            places = ", ".join(middle.get(p, p.removeprefix("left_")) for p in each.landmarks)
            if each.side == "left":
                name, coordinate = f"{name} (left, right)", coordinate.replace("_l", "_l, _r")
            lines.append(f"| {name} | {places} | {each.text} | {coordinate} |")
    return "\n".join(lines) + "\n"


def measure(
    angle: Angle, skeleton: Skeleton, keypoints: npt.ArrayLike, scores: npt.ArrayLike
) -> Doubles:
    """(...,) degrees of keypoints (..., K, D), y down; NaN where a landmark is missing."""
    points, _ = landmarks.take(skeleton, angle.landmarks, keypoints, scores)
    p = [points[..., index, :] for index in range(len(angle.landmarks))]
    if angle.kind == "segment":
        along = p[1] - p[0]
        return np.degrees(np.arctan2(along[..., 0], -along[..., 1]))
    if angle.kind == "flexion":
        return _between(p[1] - p[0], p[2] - p[1])
    return _between(p[1] - p[0], p[3] - p[2]) - angle.zero


def _between(a: Doubles, b: Doubles) -> Doubles:
    """(...,) degrees between directions; NaN where one has no length.

    By the tangent of the half angle (Kahan, 2006), which keeps its digits near 0 and 180.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        u = a / np.linalg.norm(a, axis=-1, keepdims=True)
        v = b / np.linalg.norm(b, axis=-1, keepdims=True)
    half = np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    degrees: Doubles = np.degrees(2 * half)
    return degrees
