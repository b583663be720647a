"""Angles have the values that geometry says, whichever way the body faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.kinematics import landmarks
from posetrack.kinematics.angles import ANGLES, angles_of, measure
from posetrack.skeletons import load_skeleton, skeleton_names

HALPE = load_skeleton("halpe26")
BY_NAME = {angle.name: angle for angle in ANGLES}


def pose(**places: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(K, 2) and (K,) with these keypoints found."""
    keypoints, scores = np.zeros((26, 2)), np.zeros(26)
    for name, place in places.items():
        index = HALPE.keypoints.index(name)
        keypoints[index], scores[index] = place, 0.9
    return keypoints, scores


LEG = {"right_hip": (0, 0), "right_knee": (0, 50)}
TRUNK = {"neck": (0, -60), "hip": (0, 0)}


@pytest.mark.parametrize(
    ("name", "places", "degrees"),
    [
        ("right_knee", LEG | {"right_ankle": (0, 100)}, 0),
        ("right_knee", LEG | {"right_ankle": (50, 50)}, 90),
        ("right_knee", LEG | {"right_ankle": (-50, 50)}, 90),
        ("right_knee", LEG | {"right_ankle": (0, 1)}, 180),
        ("right_hip", TRUNK | {"right_hip": (0, 0), "right_knee": (0, 50)}, 0),
        ("right_hip", TRUNK | {"right_hip": (0, 0), "right_knee": (50, 0)}, 90),
        ("left_shoulder", TRUNK | {"left_shoulder": (20, -60), "left_elbow": (20, -110)}, 180),
        (
            "right_ankle",
            {
                "right_knee": (0, 0),
                "right_ankle": (0, 50),
                "right_heel": (-5, 55),
                "right_big_toe": (15, 55),
            },
            0,
        ),
        (
            "right_ankle",
            {
                "right_knee": (0, 0),
                "right_ankle": (0, 50),
                "right_heel": (0, 55),
                "right_big_toe": (20, 35),
            },
            45,
        ),
        ("trunk", {"hip": (0, 0), "neck": (10, -10)}, 45),
        ("trunk", {"hip": (0, 0), "neck": (-10, -10)}, -45),
    ],
)
def test_angles_are_those_of_their_definitions(
    name: str, places: dict[str, tuple[float, float]], degrees: float
) -> None:
    assert measure(BY_NAME[name], HALPE, *pose(**places)) == pytest.approx(degrees, abs=1e-6)


def test_a_missing_landmark_gives_no_angle() -> None:
    keypoints, scores = pose(**LEG, right_ankle=(0, 100))
    scores[HALPE.keypoints.index("right_knee")] = 0
    assert np.isnan(measure(BY_NAME["right_knee"], HALPE, keypoints, scores))


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 180), st.floats(-180, 180), st.floats(5, 500), st.booleans())
def test_a_knee_keeps_its_angle_when_the_body_is_turned_scaled_or_mirrored(
    bend: float, turn: float, length: float, mirror: bool
) -> None:
    angle = np.radians(bend)
    points = np.array([[0, -1], [0, 0], [np.sin(angle), np.cos(angle)]]) * length
    if mirror:
        points[:, 0] *= -1
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    points = points @ np.array([[c, -s], [s, c]]) + 300
    names = ("right_hip", "right_knee", "right_ankle")
    placed = dict(zip(names, map(tuple, points), strict=True))
    assert measure(BY_NAME["right_knee"], HALPE, *pose(**placed)) == pytest.approx(bend, abs=1e-5)


def test_every_set_of_a_body_has_knees_and_a_set_of_a_hand_has_none() -> None:
    bodies = ("coco", "halpe26", "coco_wholebody", "crowdpose", "aic", "mpii", "h36m", "jhmdb")
    for name in bodies:
        known = {angle.name for angle in angles_of(load_skeleton(name))}
        assert {"left_knee", "right_elbow", "left_hip", "trunk"} <= known, name
    assert angles_of(load_skeleton("onehand10k")) == ()
    assert set(bodies) <= set(skeleton_names())


@pytest.mark.parametrize(
    ("skeleton", "landmark", "names"),
    [
        ("coco", "neck", ("left_shoulder", "right_shoulder")),
        ("halpe26", "neck", ("neck",)),
        ("mpii", "hip", ("pelvis",)),
        ("h36m", "hip", ("root",)),
        ("posetrack18", "neck", ("head_bottom",)),
        ("coco", "head_bottom", ("left_shoulder", "right_shoulder")),
        ("ap10k", "left_shoulder", ("L_Shoulder",)),
        ("h36m", "left_ankle", ("left_foot",)),
        ("coco", "left_big_toe", ()),
    ],
)
def test_a_landmark_is_found_under_the_names_of_each_set(
    skeleton: str, landmark: str, names: tuple[str, ...]
) -> None:
    known = load_skeleton(skeleton)
    assert tuple(known.keypoints[i] for i in landmarks.sources(known, landmark)) == names
