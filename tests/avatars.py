"""A figure of known turns in Unity's axes: forward kinematics, and what a camera sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from posetrack.skeletons import load_skeleton

SIZE = (1280, 720)
PX_PER_M = 300.0
HEIGHT_M = 1.7
SKELETON = load_skeleton("coco_wholebody")

# Bone: parent, and where its joint is at rest from the parent's, in metres. Left is -x, z forward.
TREE: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "Hips": (None, (0, 0, 0)),
    "Spine": ("Hips", (0, 0, 0)),
    "Chest": ("Spine", (0, 0.245, 0)),
    "Neck": ("Chest", (0, 0.245, 0)),
    "Head": ("Neck", (0, 0.187, 0.038)),
    **{
        f"{side}{bone}": (parent.format(side), (x * sign, y, z))
        for side, sign in (("Left", -1.0), ("Right", 1.0))
        for bone, parent, (x, y, z) in (
            ("Shoulder", "Chest", (0, 0.245, 0)),
            ("UpperArm", "{}Shoulder", (0.22, 0, 0)),
            ("LowerArm", "{}UpperArm", (0.316, 0, 0)),
            ("Hand", "{}LowerArm", (0.248, 0, 0)),
            ("UpperLeg", "Hips", (0.094, 0, 0)),
            ("LowerLeg", "{}UpperLeg", (0, -0.4165, 0)),
            ("Foot", "{}LowerLeg", (0, -0.418, 0)),
        )
    },
}  # fmt: skip

# Keypoint: bone, and where it is at rest from that bone's joint.
POINTS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "nose": ("Head", (0, 0, 0.1)),
    "left_ear": ("Head", (-0.075, 0, 0)),
    "right_ear": ("Head", (0.075, 0, 0)),
    **{
        f"{side.lower()}_{name}": (f"{side}{bone}", (x * sign, y, z))
        for side, sign in (("Left", -1.0), ("Right", 1.0))
        for name, bone, (x, y, z) in (
            ("shoulder", "UpperArm", (0, 0, 0)),
            ("elbow", "LowerArm", (0, 0, 0)),
            ("wrist", "Hand", (0, 0, 0)),
            ("middle_finger1", "Hand", (0.09, 0, 0)),
            ("forefinger1", "Hand", (0.085, 0, 0.025)),
            ("pinky_finger1", "Hand", (0.085, 0, -0.04)),
            ("hip", "UpperLeg", (0, 0, 0)),
            ("knee", "LowerLeg", (0, 0, 0)),
            ("ankle", "Foot", (0, 0, 0)),
            ("big_toe", "Foot", (0, -0.066, 0.188)),
        )
    },
}

LIMBS = {
    bone: (joint, end)
    for side in ("left", "right")
    for bone, joint, end in (
        (f"{side.title()}UpperArm", f"{side}_shoulder", f"{side}_elbow"),
        (f"{side.title()}LowerArm", f"{side}_elbow", f"{side}_wrist"),
        (f"{side.title()}UpperLeg", f"{side}_hip", f"{side}_knee"),
        (f"{side.title()}LowerLeg", f"{side}_knee", f"{side}_ankle"),
        (f"{side.title()}Foot", f"{side}_ankle", f"{side}_big_toe"),
    )
}
"""Bone -> the keypoints it goes from and to."""


def world(turns: Mapping[str, Rotation]) -> dict[str, tuple[Rotation, np.ndarray]]:
    """Bone -> its turn and its joint in the world, from turns against the parents."""
    done: dict[str, tuple[Rotation, np.ndarray]] = {}
    for name, (parent, offset) in TREE.items():
        turn = turns.get(name, Rotation.identity())
        if parent is None:
            done[name] = turn, np.zeros(3)
        else:
            over, at = done[parent]
            done[name] = over * turn, at + over.apply(offset)
    return done


def dance(t_s: float) -> dict[str, Rotation]:
    """Turns of a dancer who goes round, swings arms and legs, bends, and looks about."""

    def turn(*degrees: float) -> Rotation:
        return Rotation.from_euler("YXZ", degrees, degrees=True)

    beat = np.sin(2 * np.pi * t_s)
    slow = np.sin(np.pi * t_s)
    bend = turn(10 * slow, 8 + 8 * beat, 5 * beat)
    return {
        "Hips": turn(360 * t_s / 4, 6 * beat, 4 * slow),
        "Spine": bend,
        "Chest": bend,
        "Head": turn(35 * slow, 12 * beat, 8 * slow),
        "LeftUpperArm": turn(40 * beat, 0, 50 + 25 * slow),
        "RightUpperArm": turn(-20 + 30 * slow, 0, -60 + 20 * beat),
        "LeftLowerArm": turn(50 + 40 * slow, 0, 0),
        "RightLowerArm": turn(-70 + 20 * beat, 0, 0),
        "LeftUpperLeg": turn(0, -30 + 30 * beat, 0),
        "RightUpperLeg": turn(0, -30 - 30 * beat, 0),
        "LeftLowerLeg": turn(0, 40 - 30 * beat, 0),
        "RightLowerLeg": turn(0, 40 + 30 * beat, 0),
        "LeftFoot": turn(0, 10 * slow, 0),
    }


@dataclass(frozen=True)
class Seen:
    """What a camera sees: keypoints (K, 2) px, scores (K,), depths (K,) m; and places in m."""

    keypoints: np.ndarray
    scores: np.ndarray
    depths: np.ndarray
    places: dict[str, np.ndarray]


def seen(turns: Mapping[str, Rotation], at_px: tuple[float, float] = (700, 360)) -> Seen:
    """The figure as a camera far away sees it, which it looks at when it is not turned."""
    joints = world(turns)
    places = {}
    for name, (bone, offset) in POINTS.items():
        turn, joint = joints[bone]
        places[name] = joint + turn.apply(offset)
    keypoints = np.full((len(SKELETON), 2), 10.0)
    scores, depths = np.zeros(len(SKELETON)), np.zeros(len(SKELETON))
    for name, (x, y, z) in places.items():
        index = SKELETON.keypoints.index(name)
        # From the front the figure's left, -x, is to the right in the picture.
        keypoints[index] = at_px + PX_PER_M * np.array([-x, -y])
        scores[index], depths[index] = 0.9, -z
    return Seen(keypoints, scores, depths, places)
