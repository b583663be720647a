"""The bones of a body, and how each is turned against a T-pose.

Axes: x to the right of the picture, y up, z towards the camera. In the rest pose the body faces the
camera and stands, its arms spread to both sides, palms down. Its left is then x.

A bone turns as its axes do. The first points exactly where the body's does, a second one as nearly
as it can. A bone of one axis is turned from its parent by the smallest angle that does it, so that
it is twisted as its parent is: two points do not tell how a limb turns about itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from posetrack.kinematics import landmarks
from posetrack.skeletons import Skeleton

Doubles = npt.NDArray[np.float64]
Direction: TypeAlias = tuple[float, float, float]
UP, DOWN, LEFT, RIGHT = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
FORWARD = (0.0, 0.0, 1.0)
_EARS_FROM_NECK = (0.0, 0.98, 0.2)
_TOES_FROM_ANKLE = (0.0, -0.33, 0.94)
_SMALL = 1e-6


@dataclass(frozen=True, slots=True)
class Axis:
    """A direction on a bone: from one landmark to another, and where it points at rest."""

    begin: str
    end: str
    rest: Direction


@dataclass(frozen=True, slots=True)
class Bone:
    """A bone and the joint it turns about.

    Attributes:
        name: as in Unity's HumanBodyBones.
        parent: name of the bone it hangs on.
        joint: landmark it turns about.
        at: direction of that joint from the parent's, at rest.
        share: its distance from the parent's, of the standing height (Winter, Biomechanics and
            Motor Control of Human Movement, 2009, figure 4.1).
        axes: one or two, the one that is followed exactly first.
    """

    name: str
    parent: str | None
    joint: str
    at: Direction
    share: float
    axes: tuple[Axis, ...]


def _limbs(side: str, out: Direction) -> tuple[Bone, ...]:
    s, part = f"{side}_", side.title()
    shoulder, elbow, wrist, knuckle = (
        s + each for each in ("shoulder", "elbow", "wrist", "middle_finger1")
    )
    hip, knee, ankle, toe = (s + each for each in ("hip", "knee", "ankle", "big_toe"))
    palm = Axis(f"{s}pinky_finger1", f"{s}forefinger1", FORWARD)
    return (
        Bone(f"{part}Shoulder", "Spine", "neck", UP, 0.288, (Axis("neck", shoulder, out),)),
        Bone(f"{part}UpperArm", f"{part}Shoulder", shoulder, out, 0.129,
             (Axis(shoulder, elbow, out),)),
        Bone(f"{part}LowerArm", f"{part}UpperArm", elbow, out, 0.186, (Axis(elbow, wrist, out),)),
        Bone(f"{part}Hand", f"{part}LowerArm", wrist, out, 0.146,
             (Axis(wrist, knuckle, out), palm)),
        Bone(f"{part}UpperLeg", "Hips", hip, out, 0.055, (Axis(hip, knee, DOWN),)),
        Bone(f"{part}LowerLeg", f"{part}UpperLeg", knee, DOWN, 0.245, (Axis(knee, ankle, DOWN),)),
        Bone(f"{part}Foot", f"{part}LowerLeg", ankle, DOWN, 0.246,
             (Axis(ankle, toe, _TOES_FROM_ANKLE),)),
    )  # fmt: skip


_TRUNK = Axis("hip", "neck", UP)
BONES = (
    Bone("Hips", None, "hip", UP, 0.0, (Axis("right_hip", "left_hip", LEFT), _TRUNK)),
    Bone("Spine", "Hips", "hip", UP, 0.0,
         (_TRUNK, Axis("right_shoulder", "left_shoulder", LEFT))),
    Bone("Neck", "Spine", "neck", UP, 0.288, (Axis("neck", "ears", _EARS_FROM_NECK),)),
    Bone("Head", "Neck", "ears", _EARS_FROM_NECK, 0.112,
         (Axis("right_ear", "left_ear", LEFT), Axis("ears", "nose", FORWARD))),
    *_limbs("left", LEFT),
    *_limbs("right", RIGHT),
)  # fmt: skip
"""Every bone, parents before those that hang on them."""


@dataclass(frozen=True, slots=True)
class Rig:
    """The bones that the keypoints of a set can turn.

    Attributes:
        skeleton: the keypoint set.
        bones: those of `BONES`; none whose parent is not there.
    """

    skeleton: Skeleton
    bones: tuple[Bone, ...]

    @classmethod
    def of(cls, skeleton: Skeleton, *, flat: bool = False) -> Self:
        """All that the set has landmarks of; no bones where it has no hips and shoulders.

        Args:
            flat: there are no depths: what is told by a direction across the picture only, such
                as where the head looks, is left out.
        """
        bones: dict[str, Bone] = {}
        for bone in BONES:
            axes = [a for a in bone.axes if landmarks.has(skeleton, (a.begin, a.end))]
            if flat:
                axes = [a for a in axes if a.begin == bone.joint and a.rest != FORWARD]
            if axes and (bone.parent is None or bone.parent in bones):
                bones[bone.name] = Bone(
                    bone.name, bone.parent, bone.joint, bone.at, bone.share, tuple(axes)
                )
        return cls(skeleton, tuple(bones.values()) if "Spine" in bones else ())

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks that `take` gives, in its order."""
        joints = [bone.joint for bone in self.bones]
        ends = [end for bone in self.bones for a in bone.axes for end in (a.begin, a.end)]
        return tuple(dict.fromkeys([*joints, *ends]))

    def take(self, points: npt.ArrayLike, scores: npt.ArrayLike) -> dict[str, Doubles]:
        """Landmark -> (F, 3), NaN where it is missing; from (F, K, 3) and (F, K)."""
        found, _ = landmarks.take(self.skeleton, self.names, points, scores)
        return {name: found[:, i] for i, name in enumerate(self.names)}

    def turns(
        self, places: Mapping[str, Doubles], before: Mapping[str, Rotation] | None = None
    ) -> dict[str, Rotation]:
        """Bone -> how it is turned against its parent (the first against the rest pose), F times.

        One that is not seen keeps its turn against its parent; before its first sight it has that
        one of `before`, else that of its first sight, and none where it is never seen.

        Args:
            places: landmark -> (F, 3), as `take` gives them.
            before: bone -> one turn, those of the frame before the first.
        """
        frames = len(next(iter(places.values())))
        whole: dict[str | None, Rotation] = {None: Rotation.identity(frames)}
        turned = {}
        for bone in self.bones:
            parent = whole[bone.parent]
            along = [places[axis.end] - places[axis.begin] for axis in bone.axes]
            seen = np.linalg.norm(along[0], axis=1) > _SMALL  # False of NaN
            local = (parent.inv() * _turned(bone, along, parent, seen)).as_quat()
            known = None if before is None else before.get(bone.name)
            if known is not None:
                first = known.as_quat()
            else:
                first = local[np.argmax(seen)] if seen.any() else Rotation.identity().as_quat()
            turned[bone.name] = Rotation.from_quat(held(local, seen, first))
            whole[bone.name] = parent * turned[bone.name]
        return turned


def _turned(
    bone: Bone, along: list[Doubles], parent: Rotation, seen: npt.NDArray[np.bool_]
) -> Rotation:
    """F turns from the rest pose into the world; any where `seen` is False."""
    first = np.where(seen[:, None], along[0], parent.apply(bone.axes[0].rest))
    least = _between(parent.apply(bone.axes[0].rest), first) * parent
    if len(bone.axes) == 1:
        return least
    # Where the second one is not seen, or points as the first, the bone is twisted as its parent.
    second = _across(along[1], first)
    told = np.linalg.norm(second, axis=1) > _SMALL
    second = np.where(told[:, None], second, least.apply(bone.axes[1].rest))
    rest = _frame(*(np.array([axis.rest]) for axis in bone.axes))
    return Rotation.from_matrix(_frame(first, second) @ rest.transpose(0, 2, 1))


def _frame(first: Doubles, second: Doubles) -> Doubles:
    """(F, 3, 3) whose columns are at right angles: `first`, `second` as nearly, both's normal."""
    a, b = _unit(first), _unit(_across(second, first))
    return np.stack([a, b, np.cross(a, b)], axis=-1)


def _between(start: Doubles, end: Doubles) -> Rotation:
    """The smallest turns that bring directions (F, 3) to others; half turns go about z or x."""
    a, b = _unit(start), _unit(end)
    # The quaternion of twice the turn and that of none, added, are one of the turn.
    axis, real = np.cross(a, b), 1 + (a * b).sum(axis=1, keepdims=True)
    other = _across(np.where(np.abs(a[:, 2:]) < 0.9, FORWARD, LEFT), a)
    half = real < _SMALL
    return Rotation.from_quat(
        np.concatenate([np.where(half, other, axis), np.where(half, 0.0, real)], axis=1)
    )


def _unit(values: Doubles) -> Doubles:
    """(F, 3) of length 1."""
    unit: Doubles = values / np.sqrt((values * values).sum(axis=1, keepdims=True))
    return unit


def _across(values: Doubles, along: Doubles) -> Doubles:
    """(F, 3) what of `values` is at right angles to `along`."""
    unit = _unit(along)
    rest: Doubles = values - (values * unit).sum(axis=1, keepdims=True) * unit
    return rest


def held(values: Doubles, seen: npt.NDArray[np.bool_], first: Doubles) -> Doubles:
    """(F, N) with each row that is not seen as the one before it, `first` (N,) before any."""
    last = np.maximum.accumulate(np.where(seen, np.arange(len(values)), -1))
    return np.where((last < 0)[:, None], first, values[last])
