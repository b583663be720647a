"""BVH motion of one person: a skeleton whose bones turn, as Blender and MotionBuilder read it.

Every bone has a joint of its own at its beginning and keeps its median length, so that each
direction is exactly the one seen, in the plane of the picture (in space, of 3D models). y is up; cm
with a scale, else pixels. In the rest pose the body stands and its arms hang.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from posetrack.errors import ConfigError
from posetrack.formats.dense import Dense
from posetrack.formats.place import write_text
from posetrack.kinematics import landmarks
from posetrack.records import Recording
from posetrack.skeletons import Skeleton

Doubles = npt.NDArray[np.float64]
UP, DOWN, LEFT, RIGHT = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)


@dataclass(slots=True)
class Bone:
    """A bone from one landmark to another.

    Attributes:
        name: of its joint.
        ends: landmarks.
        rest: (3,) its direction in the rest pose, of somebody who faces the camera.
        after: bones that begin where it ends.
    """

    name: str
    ends: tuple[str, str]
    rest: tuple[float, float, float]
    after: list[Bone] = field(default_factory=list)


def _body() -> list[Bone]:
    """The bones that begin at the hip."""
    spine = Bone("Spine", ("hip", "neck"), UP)
    spine.after.append(Bone("Neck", ("neck", "nose"), UP))
    bones = [spine]
    for side, out in (("left", LEFT), ("right", RIGHT)):
        s, part = f"{side}_", side.title()
        forearm = Bone(f"{part}ForeArm", (f"{s}elbow", f"{s}wrist"), DOWN)
        arm = Bone(f"{part}Arm", (f"{s}shoulder", f"{s}elbow"), DOWN, [forearm])
        spine.after.append(Bone(f"{part}Shoulder", ("neck", f"{s}shoulder"), out, [arm]))
        foot = Bone(f"{part}Foot", (f"{s}ankle", f"{s}big_toe"), (0.0, 0.0, 1.0))
        shank = Bone(f"{part}Leg", (f"{s}knee", f"{s}ankle"), DOWN, [foot])
        thigh = Bone(f"{part}UpLeg", (f"{s}hip", f"{s}knee"), DOWN, [shank])
        bones.append(Bone(f"{part}Hip", ("hip", f"{s}hip"), out, [thigh]))
    return bones


def write(
    recording: Recording, track_id: int, path: Path, *, px_per_m: float | None = None
) -> None:
    """His frames from the first to the last; who was not found keeps the pose before.

    Raises:
        ConfigError: the keypoint set has no shoulders and hips.
    """
    one = Dense.of(recording, [track_id])
    skeleton = one.header.skeleton
    if not landmarks.has(skeleton, ("hip", "neck")):
        raise ConfigError(f"bvh: the keypoint set {skeleton.name} has no hips and shoulders")
    points = one.upright(px_per_m)[:, 0] * (1.0 if px_per_m is None else 100.0)
    root = _held(landmarks.take(skeleton, ["hip"], points, one.scores[:, 0])[0][:, 0])
    bones = [_Turning(bone, skeleton, points, one.scores[:, 0]) for bone in _body()]
    bones = [bone for bone in bones if bone.known]
    hierarchy = ["HIERARCHY", "ROOT Hips", "{", "  OFFSET 0 0 0"]
    hierarchy.append("  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation")
    columns = [root, np.zeros((len(one), 3))]
    for bone in bones:
        hierarchy += ["  " + line for line in bone.lines(np.zeros(3))]
        columns += bone.columns(Rotation.identity(len(one)))
    hierarchy.append("}")
    motion = np.concatenate(columns, axis=1)
    head = ["MOTION", f"Frames: {len(one)}", f"Frame Time: {1 / one.rate_hz:.8f}"]
    rows = [" ".join(f"{value:.4f}" for value in row) for row in motion]
    write_text(path, "\n".join([*hierarchy, *head, *rows]) + "\n")


class _Turning:
    """A bone with its length and its directions over the frames, and those after it."""

    def __init__(self, bone: Bone, skeleton: Skeleton, points: Doubles, scores: Doubles) -> None:
        ends, _ = landmarks.take(skeleton, bone.ends, points, scores)
        along = ends[:, 1] - ends[:, 0]
        lengths = np.linalg.norm(along, axis=1)
        self.bone = bone
        self.known = bool(np.isfinite(lengths).any())
        if not self.known:
            return
        self.length = float(np.nanmedian(lengths))
        along[~(lengths > 0)] = np.nan
        directions = _held(along, bone.rest)
        self.turn = _turns(np.array(bone.rest), directions)  # from rest, in the world
        parts = (_Turning(each, skeleton, points, scores) for each in bone.after)
        self.after = [part for part in parts if part.known]

    def lines(self, offset: Doubles) -> Iterator[str]:
        """The joint at `offset` from its parent's, and all that hang on it."""
        end = np.array(self.bone.rest) * self.length
        yield f"JOINT {self.bone.name}"
        yield "{"
        yield f"  OFFSET {_numbers(offset)}"
        yield "  CHANNELS 3 Zrotation Xrotation Yrotation"
        for part in self.after:
            yield from ("  " + line for line in part.lines(end))
        if not self.after:
            yield from ("  End Site", "  {", f"    OFFSET {_numbers(end)}", "  }")
        yield "}"

    def columns(self, parent: Rotation) -> list[Doubles]:
        """(F, 3) degrees about z, x and y, relative to the parent's turn, as `lines` has them."""
        local = (parent.inv() * self.turn).as_euler("ZXY", degrees=True)
        return [local, *(column for part in self.after for column in part.columns(self.turn))]


def _turns(rest: Doubles, directions: Doubles) -> Rotation:
    """The smallest turns that bring `rest` (3,) to directions (F, 3); half turns go about z."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    axis = np.cross(rest, unit)
    sine, cosine = np.linalg.norm(axis, axis=1), unit @ rest
    flat = sine < 1e-9
    axis[flat] = (0.0, 0.0, 1.0) if abs(rest[2]) < 1 else (0.0, 1.0, 0.0)
    sine = np.where(flat, 1.0, sine)
    angle = np.arctan2(np.where(flat, 0.0, sine), cosine)
    return Rotation.from_rotvec(axis / sine[:, None] * angle[:, None])


def _held(values: Doubles, first: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Doubles:
    """(F, 3) with each missing row as the one before it; before the first, as that, or `first`."""
    there = np.isfinite(values).all(axis=1)
    if not there.any():
        return np.tile(np.array(first), (len(values), 1))
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
    return values[np.where(last < 0, np.argmax(there), last)]


def _numbers(values: Doubles) -> str:
    return " ".join(f"{value:.4f}" for value in values)
