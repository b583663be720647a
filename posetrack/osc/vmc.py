"""One person's bones for an avatar, by the Virtual Motion Capture protocol.

A frame is one bundle of

    /VMC/Ext/OK        1 3 0 tracked            (int32: loaded, calibrated, normal mode, in sight)
    /VMC/Ext/T         seconds                  (float32)
    /VMC/Ext/Root/Pos  root p q                 (string, 7 float32: the origin)
    /VMC/Ext/Bone/Pos  BONE p q                 (string, 7 float32), for each bone

BONE is a name of Unity's HumanBodyBones. p is in metres and q a quaternion x, y, z, w, both against
the parent bone, in Unity's left-handed axes: y up, the avatar looks along z, its left is -x. A
T-pose has no turns. Source: https://protocol.vmc.info/english, version 2.7 of these messages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from posetrack.errors import SinkError
from posetrack.kinematics.measures import px_per_m_in_space
from posetrack.kinematics.rig import UP, Doubles, Rig
from posetrack.osc.packets import bundles, encode
from posetrack.skeletons import Skeleton

HEIGHT_M = 1.7
"""How tall whoever drives is taken to be; the network's depths have no other scale."""

VISIBLE = 0.3
"""Score from which a keypoint counts as found, where nothing else is said."""
PATIENCE_S = 1.0
"""So long an avatar waits for who drives it."""
_SCALE_S = 0.5
_STANDING, _SPINE = 0.53, 0.07
"""How high the hips are, and how far it is from them to spine and from there to chest (Winter)."""
_ABOVE_FLOOR = {
    **{f"{side}_ankle": 0.039 for side in ("left", "right")},
    **{f"{side}_big_toe": 0.0 for side in ("left", "right")},
}
"""Landmark -> how high it is when the foot stands, in body heights (Winter)."""


class Performer:
    """Turns the people of one stream into bundles, frame by frame.

    Who has the lowest id drives, for as long as he is in sight; somebody else only once he has been
    away for `PATIENCE_S`. A bone whose keypoints are not found stays as it was.

    Args:
        skeleton: the keypoint set.
        visible: score from which a keypoint counts as found.

    Raises:
        SinkError: the set has no hips and shoulders.
    """

    def __init__(self, skeleton: Skeleton, visible: float = VISIBLE) -> None:
        self._rig, self._visible = Rig.of(skeleton), visible
        if not self._rig.bones:
            raise SinkError(
                f"VMC asked, the keypoints of {skeleton.name} have no hips and shoulders: take a "
                "model of whole bodies with depth (--pose 3d)"
            )
        self._driver: int | None = None
        self._seen_s = -math.inf
        self._forget()

    def _forget(self) -> None:
        """Begin with somebody else."""
        self._turns: dict[str, Rotation] = {}
        self._px_per_m = math.nan

    def bundle(
        self,
        t_s: float,
        ids: Sequence[int],
        keypoints: npt.NDArray[np.floating[Any]],
        scores: npt.NDArray[np.floating[Any]],
        depths: npt.NDArray[np.floating[Any]] | None,
        *,
        width: int,
    ) -> bytes:
        """The bundle of a frame; without bones where nobody drives.

        Args:
            t_s: media time; it never goes back.
            ids: N.
            keypoints: (N, K, 2) px.
            scores: (N, K).
            depths: (N, K) metres away from the hips.
            width: of the pictures, px.

        Raises:
            SinkError: there are people and no depths.
        """
        if depths is None and len(ids):
            raise SinkError("VMC needs depths, and the pose model has none: take --pose 3d")
        row = self._row(t_s, ids)
        messages = [
            encode("/VMC/Ext/OK", 1, 3, 0, int(row is not None)),
            encode("/VMC/Ext/T", float(t_s)),
        ]
        if row is not None and depths is not None:
            points = np.concatenate([keypoints[row], depths[row, :, None]], axis=-1)
            found = np.where(scores[row] >= self._visible, scores[row], 0)
            elapsed_s, self._seen_s = t_s - self._seen_s, t_s
            places = self._rig.take(points[None], found[None])
            self._scale(places, elapsed_s)
            if math.isfinite(self._px_per_m):
                messages += self._bones(places, (width - 1) / 2)
        (whole,) = bundles(messages)
        return whole

    def _row(self, t_s: float, ids: Sequence[int]) -> int | None:
        """Where whoever drives stands among the people of a frame."""
        if self._driver is None or self._driver not in ids:
            if not ids or t_s - self._seen_s <= PATIENCE_S:
                return None
            self._driver = min(ids)
            self._forget()
        return ids.index(self._driver)

    def _scale(self, places: Mapping[str, Doubles], elapsed_s: float) -> None:
        """Follow how large he is in the picture, calmly: he comes and goes no faster."""
        (now,) = px_per_m_in_space(self._rig, places, HEIGHT_M)
        if not math.isfinite(self._px_per_m):
            self._px_per_m = float(now)
        elif math.isfinite(now):
            self._px_per_m += (1 - math.exp(-elapsed_s / _SCALE_S)) * (now - self._px_per_m)

    def _bones(self, places: Mapping[str, Doubles], middle_px: float) -> Iterator[bytes]:
        axes = np.array([1 / self._px_per_m, -1 / self._px_per_m, -1])
        places = {name: (at - (middle_px, 0, 0)) * axes for name, at in places.items()}
        turns = self._rig.turns(places, self._turns)
        self._turns = {name: turn[0] for name, turn in turns.items()}
        yield encode("/VMC/Ext/Root/Pos", "root", *(0.0,) * 6, 1.0)
        for bone in self._rig.bones:
            turn, at = self._turns[bone.name], HEIGHT_M * bone.share * np.array(bone.at)
            if bone.parent is None:
                yield _bone(bone.name, _hips(places), turn)
            elif bone.name == "Spine":  # bent in two places, as a back is
                for name in ("Spine", "Chest"):
                    yield _bone(name, HEIGHT_M * _SPINE * np.array(UP), turn**0.5)
            else:
                on_chest = HEIGHT_M * 2 * _SPINE * np.array(UP) if bone.parent == "Spine" else 0.0
                yield _bone(bone.name, at - on_chest, turn)


def _hips(places: Mapping[str, Doubles]) -> Doubles:
    """(3,) where they are: x from the middle of the picture, y above the lower foot, z 0, since
    how far away somebody stands is not known.
    """
    x, y, _ = places["hip"][0]
    feet = [
        places[name][0, 1] - HEIGHT_M * above
        for name, above in _ABOVE_FLOOR.items()
        if name in places
    ]
    seen = [each for each in feet if math.isfinite(each)]
    height = y - min(seen) if seen else math.nan
    standing = HEIGHT_M * _STANDING
    return np.array([x if math.isfinite(x) else 0.0, height if height > 0 else standing, 0.0])


def _bone(name: str, at: Doubles, turn: Rotation) -> bytes:
    """One bone in Unity's axes, in which x points the other way."""
    x, y, z = at.tolist()
    qx, qy, qz, qw = turn.as_quat().tolist()
    return encode("/VMC/Ext/Bone/Pos", name, -x, y, z, qx, -qy, -qz, qw)
