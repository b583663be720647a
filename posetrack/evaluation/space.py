"""Poses in space against the truth in metres: MPJPE and PA-MPJPE (Human3.6M, H3WB)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posetrack.camera import Camera
from posetrack.datasets.annotations import Person
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats


def space_metrics(
    people: Sequence[Person], keypoints: Floats, depths: Floats, skeleton: Skeleton
) -> dict[str, float]:
    """``mpjpe_mm`` and ``pa_mpjpe_mm`` over the people whose truth in space is known; {} of none.

    As in H3WB's and MMPose's protocol a pose is put at the true distance of its root, seen by the
    true camera, and both poses are moved so that their roots meet.

    Args:
        people: N of them, with `Person.space`.
        keypoints: (N, K, 2) px.
        depths: (N, K) metres from the root.
        skeleton: names the root.
    """
    errors, aligned = [], []
    root = list(skeleton.root)
    for person, points, z in zip(people, keypoints, depths, strict=True):
        truth, known = person.space, None if person.space is None else person.space[:, 2] > 0
        if truth is None or known is None or not known[root].all() or known.sum() < 4:
            continue
        if not np.isfinite(points).all():
            continue
        camera = camera_of(person, float(truth[root, 2].mean()))
        found = camera.positions(points[None], z[None])[0]
        errors.append(mpjpe(found, truth, known, root))
        aligned.append(pa_mpjpe(found, truth, known))
    if not errors:
        return {}
    return {
        "mpjpe_mm": 1000 * float(np.mean(errors)),
        "pa_mpjpe_mm": 1000 * float(np.mean(aligned)),
        "people in space": float(len(errors)),
    }


def camera_of(person: Person, distance_m: float) -> Camera:
    """The picture's ``camera`` (fx, fy, cx, cy); without one, that which the person's own keypoints
    in px and in metres tell of.
    """
    given = person.picture.fields.get("camera")
    if given is not None:
        return Camera.of(tuple(map(float, given)), person.picture.size, distance_m)
    assert person.space is not None
    known = (person.space[:, 2] > 0) & (person.labelled > 0)
    rays = person.space[known, :2] / person.space[known, 2:]
    lines = [np.polyfit(rays[:, i], person.keypoints[known, i], 1) for i in range(2)]
    (fx, cx), (fy, cy) = (map(float, line) for line in lines)
    return Camera((fx, fy), (cx, cy), distance_m)


def mpjpe(found: Floats, truth: Floats, known: Bools, root: Sequence[int]) -> float:
    """Mean distance of known keypoints (K, 3) when the roots lie on each other."""
    moved = [points - points[list(root)].mean(axis=0) for points in (found, truth)]
    return float(np.linalg.norm(moved[0] - moved[1], axis=1)[known].mean())


def pa_mpjpe(found: Floats, truth: Floats, known: Bools) -> float:
    """Mean distance of known keypoints (K, 3) after the best rotation, scale and shift.

    Source: orthogonal Procrustes (Schonemann 1966), with the reflection excluded.
    """
    a, b = found[known].astype(np.float64), truth[known].astype(np.float64)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    u, scales, v = np.linalg.svd(a.T @ b)
    turn = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    scale = (scales * turn).sum() / max((a**2).sum(), 1e-12)
    return float(np.linalg.norm(scale * a @ (u * turn) @ v - b, axis=1).mean())
