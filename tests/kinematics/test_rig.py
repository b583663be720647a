"""How the bones of a body turn."""

from __future__ import annotations

import avatars
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from posetrack.kinematics.measures import px_per_m_in_space
from posetrack.kinematics.rig import DOWN, FORWARD, LEFT, Rig
from posetrack.skeletons import load_skeleton


def places(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (F, K, 3) in metres and scores (F, K) of the dancer, in the rig's axes."""
    frames = [avatars.seen(avatars.dance(t)) for t in times_s]
    points = np.stack([np.column_stack([f.keypoints, f.depths]) for f in frames])
    scale = np.array([1 / avatars.PX_PER_M, -1 / avatars.PX_PER_M, -1])
    return points * scale, np.stack([frame.scores for frame in frames])


def directions(turns: dict[str, Rotation], rig: Rig) -> dict[str, Rotation]:
    """Bone -> its turn in the world."""
    whole: dict[str | None, Rotation] = {}
    for bone in rig.bones:
        above = whole.get(bone.parent)
        whole[bone.name] = turns[bone.name] if above is None else above * turns[bone.name]
    return whole


def test_every_limb_points_where_the_body_does() -> None:
    points, scores = places(np.arange(0, 4, 0.1))
    rig = Rig.of(avatars.SKELETON)
    whole = directions(rig.turns(rig.take(points, scores)), rig)
    rest = {bone.name: bone.axes[0].rest for bone in rig.bones}
    at = avatars.SKELETON.keypoints.index
    for bone, (begin, end) in avatars.LIMBS.items():
        wanted = points[:, at(end)] - points[:, at(begin)]
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        found = whole[bone].apply(np.array(rest[bone]) / np.linalg.norm(rest[bone]))
        np.testing.assert_allclose(found, wanted, atol=1e-6, err_msg=bone)


def test_hips_shoulders_head_and_palms_face_where_the_body_does() -> None:
    points, scores = places(np.arange(0, 4, 0.1))
    rig = Rig.of(avatars.SKELETON)
    whole = directions(rig.turns(rig.take(points, scores)), rig)
    at = avatars.SKELETON.keypoints.index
    hips = points[:, at("left_hip")] - points[:, at("right_hip")]
    hips /= np.linalg.norm(hips, axis=1, keepdims=True)
    np.testing.assert_allclose(whole["Hips"].apply(LEFT), hips, atol=1e-6)
    # Known exactly: a head and a hand are seen in two directions.
    for i, t in enumerate(np.arange(0, 4, 0.1)):
        truth = avatars.world(avatars.dance(t))
        for bone in ("Head", "LeftHand", "RightHand"):
            x, y, z, w = truth[bone][0].as_quat()
            ours = Rotation.from_quat([x, -y, -z, w])  # from Unity's axes
            assert np.degrees((ours.inv() * whole[bone][i]).magnitude()) < 1e-3, (bone, t)


def test_somebody_in_a_t_pose_is_not_turned() -> None:
    figure = avatars.seen({})
    points = np.column_stack([figure.keypoints, figure.depths])[None] * (1, -1, -avatars.PX_PER_M)
    rig = Rig.of(avatars.SKELETON)
    turns = rig.turns(rig.take(points, figure.scores[None]))
    assert {"Hips", "Spine", "Head", "LeftHand", "RightFoot"} <= turns.keys()
    for name, turn in turns.items():
        assert np.degrees(turn.magnitude()).item() < 1, name


def test_a_bone_out_of_sight_keeps_its_turn_against_its_parent() -> None:
    points, scores = places(np.arange(0, 1, 0.1))
    rig = Rig.of(avatars.SKELETON)
    wrist = avatars.SKELETON.keypoints.index("left_wrist")
    scores[3:6, wrist] = 0
    scores[0, wrist] = 0
    turns = rig.turns(rig.take(points, scores))["LeftLowerArm"].as_quat()
    np.testing.assert_array_equal(turns[3:6], np.tile(turns[2], (3, 1)))
    np.testing.assert_array_equal(turns[0], turns[1])
    assert np.abs(turns[6] - turns[5]).max() > 0.01
    known = Rotation.from_euler("x", 30, degrees=True)
    first = rig.turns(rig.take(points[:1], scores[:1]), {"LeftLowerArm": known})["LeftLowerArm"]
    np.testing.assert_allclose(first[0].as_quat(), known.as_quat())


def test_a_limb_that_points_against_its_rest_makes_a_half_turn() -> None:
    coco = load_skeleton("coco")
    rig = Rig.of(coco)
    at = coco.keypoints.index
    points = np.zeros((1, 17, 3))
    for name, place in {
        "left_hip": (0.1, 0, 0), "right_hip": (-0.1, 0, 0), "left_shoulder": (0.2, 0.5, 0),
        "right_shoulder": (-0.2, 0.5, 0), "left_knee": (0.1, 0.4, 0),
    }.items():  # fmt: skip
        points[0, at(name)] = place
    scores = np.zeros((1, 17))
    scores[0, [at(n) for n in ("left_hip", "right_hip", "left_shoulder", "right_shoulder")]] = 1
    scores[0, at("left_knee")] = 1
    turn = rig.turns(rig.take(points, scores))["LeftUpperLeg"]
    np.testing.assert_allclose(turn.apply(DOWN), [(0, 1, 0)], atol=1e-6)
    np.testing.assert_allclose(turn.apply(FORWARD), [(0, 0, 1)], atol=1e-6)


def test_a_flat_body_has_no_bone_that_looks_towards_the_camera() -> None:
    names = [bone.name for bone in Rig.of(load_skeleton("coco"), flat=True).bones]
    assert "Head" not in names
    assert "LeftLowerArm" in names
    assert not Rig.of(load_skeleton("lapa")).bones


@pytest.mark.parametrize("larger", [0.5, 1.0, 2.0])
def test_the_scale_is_told_by_the_length_of_the_bones(larger: float) -> None:
    frames = [avatars.seen(avatars.dance(t)) for t in np.arange(0, 4, 0.1)]
    points = np.stack([np.column_stack([larger * f.keypoints, f.depths]) for f in frames])
    rig = Rig.of(avatars.SKELETON)
    found = px_per_m_in_space(rig, rig.take(points, np.stack([f.scores for f in frames])), 1.7)
    np.testing.assert_allclose(found, larger * avatars.PX_PER_M, rtol=0.01)
