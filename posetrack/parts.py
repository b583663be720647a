"""Hands and faces of people who are tracked already: looked for where their bodies say they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from posetrack.errors import ConfigError
from posetrack.geometry import box_area
from posetrack.skeletons import Skeleton
from posetrack.tracking.smoothing import SmootherById
from posetrack.types import Bools, Floats, Image, Poses, Tracks

if TYPE_CHECKING:
    from posetrack.perception import AnyEstimator
    from posetrack.tracking import TrackerSettings

# Proportions of a grown person, in metres where they are lengths.
_HAND_OF_ARM = 0.9  # a hand with spread fingers beside the forearm
_HAND_BEYOND_WRIST = 0.35  # its middle, in forearms past the wrist
_FOREARM_OF_UPPER = 0.9
_FACE_M = 0.16
_FACE_BELOW_NOSE_M = 0.015
_HEAD_M = {  # distances of two points of the head, at most; turned heads show them shorter
    ("left_eye", "right_eye"): 0.063,
    ("left_ear", "right_ear"): 0.15,
    ("nose", "left_ear"): 0.12,
    ("nose", "right_ear"): 0.12,
    ("nose", "left_eye"): 0.045,
    ("nose", "right_eye"): 0.045,
}
_LEAST_PX = 6.0
"""Sides of regions that are looked at."""
_NOMINAL_DT_S = 1 / 30


@dataclass(frozen=True, slots=True)
class Region:
    """Where a part of everybody is: square boxes (N, 4) xyxy px, known (N,) or not."""

    boxes: Floats
    known: Bools


def hand_region(poses: Poses, side: str, threshold: float) -> Region:
    """The hands at the ``left`` or ``right`` wrists, past the wrist along the forearm.

    Known where wrist and elbow score at least `threshold`.
    """
    wrist, elbow, shoulder = (
        poses.skeleton.keypoints.index(f"{side}_{joint}")
        for joint in ("wrist", "elbow", "shoulder")
    )
    points, sure = poses.keypoints, poses.scores >= threshold
    along = points[:, wrist] - points[:, elbow]  # (N, 2)
    arm = np.linalg.norm(along, axis=1)
    upper = np.linalg.norm(points[:, elbow] - points[:, shoulder], axis=1) * sure[:, shoulder]
    length = np.maximum(arm, _FOREARM_OF_UPPER * upper)  # a forearm towards the camera is short
    return _squares(
        points[:, wrist] + _HAND_BEYOND_WRIST * along,
        _HAND_OF_ARM * length,
        sure[:, wrist] & sure[:, elbow],
    )


def face_region(poses: Poses, threshold: float) -> Region:
    """The faces, from nose, eyes and ears; known where the nose and an eye score `threshold`."""
    names = poses.skeleton.keypoints
    points, sure = poses.keypoints, poses.scores >= threshold
    px_per_m = np.zeros(len(poses), np.float32)
    for (first, second), metres in _HEAD_M.items():
        a, b = names.index(first), names.index(second)
        seen = sure[:, a] & sure[:, b]
        px = np.linalg.norm(points[:, a] - points[:, b], axis=1) * seen
        px_per_m = np.maximum(px_per_m, px / np.float32(metres))
    nose, left, right = (names.index(name) for name in ("nose", "left_eye", "right_eye"))
    eyes = sure[:, [left, right], None]
    middle = (points[:, [left, right]] * eyes).sum(axis=1) / np.maximum(eyes.sum(axis=1), 1)
    down = points[:, nose] - middle
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
    centres = points[:, nose] + down * (_FACE_BELOW_NOSE_M * px_per_m)[:, None]
    return _squares(centres, _FACE_M * px_per_m, sure[:, nose] & eyes.any(axis=(1, 2)))


def _squares(centres: Floats, sides: Floats, known: Bools) -> Region:
    half = (sides / 2)[:, None]
    boxes = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
    return Region(boxes, known & (sides >= _LEAST_PX))


def joined_skeleton(body: Skeleton, parts: list[tuple[str, Skeleton]]) -> Skeleton:
    """One keypoint set of all; a part's keypoints are called ``<part>_<name>``.

    ``left_hand`` and ``right_hand`` change places in a mirror image.
    """
    names, limbs = list(body.keypoints), list(body.limbs)
    pairs, sigmas = list(body.flip_pairs), list(body.sigmas)
    starts = {}
    for part, skeleton in parts:
        start = starts[part] = len(names)
        names += [f"{part}_{name}" for name in skeleton.keypoints]
        limbs += [(a + start, b + start) for a, b in skeleton.limbs]
        pairs += [(a + start, b + start) for a, b in skeleton.flip_pairs]
        sigmas += skeleton.sigmas
    if "left_hand" in starts:
        left, right = starts["left_hand"], starts["right_hand"]
        pairs += [(left + i, right + i) for i in range(right - left)]
    name = "+".join([body.name, *(part for part, _ in parts)])
    return Skeleton(name, tuple(names), tuple(pairs), tuple(limbs), tuple(sigmas))


class Parts:
    """Adds the keypoints of hands and faces to people who are tracked by their bodies.

    Identities are the bodies' business: only who is shown is looked at, all hands of a frame in
    one batch. A part that no region is known for has score 0 and lies at the wrist or the nose.

    Args:
        body: keypoints of the tracked poses; needs the names of COCO's.
        settings: of the tracker; smoothing is that of the body.
        hands: reads a hand, left or right.
        face: reads a face.

    Raises:
        ConfigError: the body lacks the keypoints that tell where its parts are.
    """

    def __init__(
        self,
        body: Skeleton,
        settings: TrackerSettings,
        *,
        hands: AnyEstimator | None = None,
        face: AnyEstimator | None = None,
    ) -> None:
        self.hands, self.face, self.settings = hands, face, settings
        sides = [] if hands is None else ["left_hand", "right_hand"]
        joined = [(side, hands.skeleton) for side in sides if hands is not None]
        joined += [] if face is None else [("face", face.skeleton)]
        needed = [f"{s}_{j}" for s in ("left", "right") for j in ("wrist", "elbow", "shoulder")]
        needed = needed if hands is not None else []
        needed += [] if face is None else sorted({name for pair in _HEAD_M for name in pair})
        lacking = [name for name in needed if name not in body.keypoints]
        if lacking:
            raise ConfigError(
                f"hands or face asked, but {body.name} has no {lacking[0]} to find them by: take "
                "a pose model of coco's or halpe26's keypoints"
            )
        self.skeleton = joined_skeleton(body, joined)
        self.reset()

    def reset(self) -> None:
        """Begin another stream."""
        self._smooth = SmootherById()
        self._last_t_s: float | None = None
        self._now_s = 0.0

    def __call__(
        self, image: Image, tracks: Tracks, raw: Floats, t_s: float
    ) -> tuple[Tracks, Floats]:
        """The people with all their keypoints, smoothed and raw (N, K, 2).

        Args:
            image: the frame.
            tracks: its people, by their bodies.
            raw: (N, K of the body, 2).
            t_s: media time of the frame.
        """
        threshold = self.settings.keypoint_threshold or 0.0
        body = replace(tracks.poses, keypoints=raw)
        found = []
        if self.hands is not None:
            regions = [hand_region(body, side, threshold) for side in ("left", "right")]
            found += self._look(image, self.hands, regions)
        if self.face is not None:
            found += self._look(image, self.face, [face_region(body, threshold)])
        points, scores = (np.concatenate(c, axis=1) for c in zip(*found, strict=True))
        smooth = self._smoothed(tracks, points, scores, t_s)
        poses = tracks.poses
        whole = Poses(
            np.concatenate([poses.keypoints, smooth], axis=1),
            np.concatenate([poses.scores, scores], axis=1),
            poses.boxes,
            poses.box_scores,
            self.skeleton,
        )
        return replace(tracks, poses=whole), np.concatenate([raw, points], axis=1)

    def _look(
        self, image: Image, estimate: AnyEstimator, regions: list[Region]
    ) -> list[tuple[Floats, Floats]]:
        """Keypoints (N, K, 2) and scores (N, K) for each of `regions`, all in one batch."""
        boxes = np.concatenate([region.boxes for region in regions])
        known = np.concatenate([region.known for region in regions])
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        points = np.repeat(middles[:, None], len(estimate.skeleton), axis=1)
        scores = np.zeros(points.shape[:2], np.float32)
        if known.any():
            sure = np.ones(int(known.sum()), np.float32)
            poses = estimate(image, boxes[known], box_scores=sure)
            points[known], scores[known] = poses.keypoints, poses.scores
        count = len(regions)
        return list(zip(np.split(points, count), np.split(scores, count), strict=True))

    def _smoothed(self, tracks: Tracks, points: Floats, scores: Floats, t_s: float) -> Floats:
        step = _NOMINAL_DT_S if self._last_t_s is None else t_s - self._last_t_s
        if self.settings.clock == "frames":
            step = 1.0
        elif step <= 0:
            step = _NOMINAL_DT_S
        self._last_t_s, self._now_s = t_s, self._now_s + step
        return self._smooth(
            tracks.ids,
            points,
            scores,
            self.settings,
            dt_s=step,
            now_s=self._now_s,
            person=np.sqrt(np.maximum(box_area(tracks.poses.boxes), 1)).astype(np.float32),
        )
