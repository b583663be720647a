"""BVH motion of one person: a skeleton whose bones turn, as Blender and MotionBuilder read it.

Bones keep their median length; each limb points exactly where it is seen to: in space with depths,
else in the plane of the picture. The rest pose is a T-pose that looks along z; y is up; cm with
a scale, else pixels. How bones turn says `posetrack.kinematics.rig`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.formats.dense import Dense
from posetrack.formats.place import write_text
from posetrack.kinematics.rig import Bone, Rig, held
from posetrack.records import Recording

Doubles = npt.NDArray[np.float64]
_THEIRS = {"UpperArm": "Arm", "LowerArm": "ForeArm", "UpperLeg": "UpLeg", "LowerLeg": "Leg"}
"""What bones are called in files for MotionBuilder and Mixamo, where it differs."""


def write(
    recording: Recording, track_id: int, path: Path, *, px_per_m: float | None = None
) -> None:
    """His frames from the first to the last; a bone that is not seen keeps its turn.

    Raises:
        ConfigError: the keypoint set has no shoulders and hips.
    """
    one = Dense.of(recording, [track_id])
    skeleton = one.header.skeleton
    rig = Rig.of(skeleton, flat=one.depths is None or px_per_m is None)
    if not rig.bones:
        raise ConfigError(f"bvh: the keypoint set {skeleton.name} has no hips and shoulders")
    points = one.upright(px_per_m)[:, 0] * (1.0 if px_per_m is None else 100.0)
    places = rig.take(points, one.scores[:, 0])
    root = _root(rig, places)
    turns = rig.turns(places)
    columns = [_held(places["hip"])]
    columns += [turns[joint.bone.name].as_euler("ZXY", degrees=True) for joint in root.all()]
    head = ["MOTION", f"Frames: {len(one)}", f"Frame Time: {1 / one.rate_hz:.8f}"]
    rows = [" ".join(f"{value:.4f}" for value in row) for row in np.concatenate(columns, axis=1)]
    write_text(path, "\n".join(["HIERARCHY", *root.lines(), *head, *rows]) + "\n")


@dataclass(slots=True)
class _Joint:
    """A bone with its lengths (3,) at rest, and those that hang on it."""

    bone: Bone
    offset: Doubles
    tip: Doubles
    after: list[_Joint] = field(default_factory=list)

    def all(self) -> Iterator[_Joint]:
        """This and all that hang on it, in the order of the file."""
        yield self
        for joint in self.after:
            yield from joint.all()

    def lines(self) -> Iterator[str]:
        """Its part of the hierarchy."""
        root = self.bone.parent is None
        yield f"{'ROOT' if root else 'JOINT'} {_name(self.bone)}"
        yield "{"
        yield f"  OFFSET {_numbers(self.offset)}"
        place = "6 Xposition Yposition Zposition" if root else "3"
        yield f"  CHANNELS {place} Zrotation Xrotation Yrotation"
        for joint in self.after:
            yield from ("  " + line for line in joint.lines())
        if not self.after:
            yield from ("  End Site", "  {", f"    OFFSET {_numbers(self.tip)}", "  }")
        yield "}"


def _root(rig: Rig, places: Mapping[str, Doubles]) -> _Joint:
    """The joints of all bones that are ever seen, hung on each other."""
    made: dict[str, _Joint] = {}
    for bone in rig.bones:
        axis = next((a for a in bone.axes if a.begin == bone.joint), bone.axes[0])
        tip = _length(places, axis.begin, axis.end) * np.array(axis.rest)
        if bone.parent is None:
            made[bone.name] = _Joint(bone, np.zeros(3), tip)
        elif bone.parent in made:
            parent = made[bone.parent]
            offset = _length(places, parent.bone.joint, bone.joint) * np.array(bone.at)
            if np.isfinite([*offset, *tip]).all():
                made[bone.name] = _Joint(bone, offset, tip)
                parent.after.append(made[bone.name])
    return made[rig.bones[0].name]


def _length(places: Mapping[str, Doubles], begin: str, end: str) -> float:
    """The median distance of two landmarks; NaN where they are never seen together."""
    lengths = np.linalg.norm(places[end] - places[begin], axis=1)
    return float(np.median(known)) if len(known := lengths[np.isfinite(lengths)]) else np.nan


def _name(bone: Bone) -> str:
    for ours, theirs in _THEIRS.items():
        if bone.name.endswith(ours):
            return bone.name.removesuffix(ours) + theirs
    return bone.name


def _held(values: Doubles) -> Doubles:
    """(F, 3) with each missing row as the one before it; before the first, as that; else 0."""
    there = np.asarray(np.isfinite(values).all(axis=1), np.bool_)
    return held(values, there, values[np.argmax(there)] if there.any() else np.zeros(3))


def _numbers(values: Doubles) -> str:
    return " ".join(f"{value:.4f}" for value in values)
