"""Where the joints of a walking, waving or exercising body are, from a phase angle.

Body axes: x to the person's left, y up, z forward; lengths in body heights, feet on y = 0.
Proportions are the usual anthropometric means (Drillis and Contini, 1964).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Joints: TypeAlias = dict[str, npt.NDArray[np.float64]]


def walking(phase: float, swing: float = 0.36) -> Joints:
    """Joints of a walker at `phase` (radians; 2 pi is two steps), feet on y = 0, looking at z."""
    arms = {
        "left": (-0.75 * swing * math.sin(phase), 0.35 + 0.12 * math.sin(phase), 0.08),
        "right": (0.75 * swing * math.sin(phase), 0.35 - 0.12 * math.sin(phase), 0.08),
    }
    legs = {}
    for side, angle in (("left", phase), ("right", phase + math.pi)):
        flex = 0.10 + 0.95 * swing * 2 * max(0.0, math.cos(angle + 0.45)) ** 1.6
        legs[side] = (swing * math.sin(angle) + 0.05, flex, 0.0)
    return _posed(arms, legs, lean=0.03, twist=0.10 * math.sin(phase))


def waving(phase: float) -> Joints:
    """Joints of somebody who stands, shifts weight and waves with the left hand."""
    arms = {
        "left": (0.25, -1.15 + 0.45 * math.sin(phase), 1.75 + 0.12 * math.sin(phase)),
        "right": (0.05, 0.18, 0.14 + 0.03 * math.sin(phase / 2)),
    }
    sway = 0.05 * math.sin(phase / 3)
    legs = {"left": (0.02, 0.06, 0.10 + sway), "right": (0.0, 0.04, 0.10 - sway)}
    return _posed(arms, legs, lean=0.0, twist=0.05 * math.sin(phase / 3))


def exercising(phase: float) -> Joints:
    """Joints of somebody who raises both arms sidewards and bends the knees in turn."""
    lift = 0.5 - 0.5 * math.cos(phase)
    arms = {
        "left": (0.05, 0.15 - 0.3 * lift, 0.15 + 2.3 * lift),
        "right": (0.05, 0.15 - 0.3 * lift, 0.15 + 2.3 * lift),
    }
    bend = 0.35 * lift
    legs = {"left": (bend, 2 * bend, 0.14), "right": (bend, 2 * bend, 0.14)}
    return _posed(arms, legs, lean=0.08 * lift, twist=0.0)


def running(phase: float) -> Joints:
    """Joints of a runner: long steps, bent arms that swing far."""
    arms = {
        "left": (-0.95 * math.sin(phase), 1.45, 0.10),
        "right": (0.95 * math.sin(phase), 1.45, 0.10),
    }
    legs = {}
    for side, angle in (("left", phase), ("right", phase + math.pi)):
        flex = 0.15 + 1.7 * max(0.0, math.cos(angle + 0.6)) ** 1.4
        legs[side] = (0.72 * math.sin(angle) + 0.15, flex, 0.0)
    return _posed(arms, legs, lean=0.16, twist=0.16 * math.sin(phase))


def hugging(phase: float) -> Joints:
    """Joints of somebody who holds somebody else in both arms, swaying a little."""
    sway = 0.03 * math.sin(phase)
    arms = {"left": (1.25 + sway, 0.75, -0.12), "right": (1.05 - sway, 0.75, -0.12)}
    legs = {"left": (0.04 + sway, 0.06, 0.06), "right": (0.0 - sway, 0.04, 0.06)}
    return _posed(arms, legs, lean=0.06, twist=sway)


def _posed(
    arms: Mapping[str, tuple[float, float, float]],
    legs: Mapping[str, tuple[float, float, float]],
    *,
    lean: float,
    twist: float,
) -> Joints:
    """Joints from angles: per arm and leg (forward swing, elbow or knee bend, sideward spread)."""
    spine = np.array([0.0, math.cos(lean), math.sin(lean)])
    pelvis = np.zeros(3)
    neck = pelvis + 0.30 * spine
    joints: Joints = {"pelvis": pelvis, "neck": neck, "chest": pelvis + 0.22 * spine}
    joints["head"] = neck + 0.035 * spine + np.array([0, 0.0, 0.012])
    joints["hem"] = pelvis - 0.035 * spine
    joints["face"] = joints["head"] + np.array([0.0, 0.066, 0.005])
    joints["jaw"] = joints["head"] + np.array([0.0, 0.030, 0.008])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        across = np.array([math.cos(twist), 0.0, -math.sin(twist)]) * sign
        shoulder = neck - 0.022 * spine + 0.108 * across
        swing, bend, spread = arms[side]
        upper = _limb(swing, spread * sign)
        # The elbow bends forward in the swing plane, sidewards once the arm is lifted.
        fore = (
            _limb(swing + bend, spread * sign)
            if spread < 1
            else _limb(0.15, (spread - bend) * sign)
        )
        joints[f"{side}_shoulder"] = shoulder
        joints[f"{side}_elbow"] = shoulder + 0.172 * upper
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + 0.150 * fore
        joints[f"{side}_hand"] = joints[f"{side}_wrist"] + 0.070 * fore
        hip = pelvis + 0.055 * np.array([math.cos(twist), 0.0, math.sin(twist)]) * sign
        swing, bend, spread = legs[side]
        thigh, shank = _limb(swing, spread * sign), _limb(swing - bend, spread * sign)
        joints[f"{side}_hip"] = hip
        joints[f"{side}_knee"] = hip + 0.245 * thigh
        joints[f"{side}_ankle"] = joints[f"{side}_knee"] + 0.246 * shank
        pitch = 0.55 * (swing - bend) - 0.08
        joints[f"{side}_heel"] = joints[f"{side}_ankle"] + np.array([0, -0.022, -0.018])
        joints[f"{side}_toe"] = joints[f"{side}_heel"] + 0.118 * np.array(
            [0.12 * sign, math.sin(pitch), math.cos(pitch)]
        )
    ground = min(joints[f"{s}_{p}"][1] for s in ("left", "right") for p in ("toe", "heel")) - 0.018
    return {name: point - np.array([0.0, ground, 0.0]) for name, point in joints.items()}


def _limb(swing: float, spread: float) -> npt.NDArray[np.float64]:
    """Unit vector of a limb that hangs down, swung forward and spread to the person's left."""
    return np.array(
        [
            math.sin(spread),
            -math.cos(swing) * math.cos(spread),
            math.sin(swing) * math.cos(spread),
        ]
    )
