"""A recording with what a format must cope with: gaps, missing keypoints, people who leave."""

from __future__ import annotations

import numpy as np

from posetrack.records import LOST, NEW, TRACKED, Header, Recording, Sightings
from posetrack.skeletons import load_skeleton

FPS = 30000 / 1001
FRAMES = 40
SIZE = (1280, 720)
IDS = (2, 7)
AT = {2: np.arange(FRAMES), 7: np.r_[5:15, 20:33]}
"""Frames in which each is seen; 7 comes late, is away for five frames and leaves early."""

# Where a standing person's landmarks are, in heights from the hip: x to the right, y down.
BODY = {
    "nose": (0.0, -0.42), "left_eye": (0.02, -0.44), "right_eye": (-0.02, -0.44),
    "left_ear": (0.04, -0.43), "right_ear": (-0.04, -0.43),
    "left_shoulder": (0.1, -0.3), "right_shoulder": (-0.1, -0.3),
    "left_elbow": (0.13, -0.12), "right_elbow": (-0.13, -0.12),
    "left_wrist": (0.14, 0.03), "right_wrist": (-0.14, 0.03),
    "left_hip": (0.06, 0.0), "right_hip": (-0.06, 0.0),
    "left_knee": (0.06, 0.245), "right_knee": (-0.06, 0.245),
    "left_ankle": (0.06, 0.491), "right_ankle": (-0.06, 0.491),
    "head": (0.0, -0.5), "neck": (0.0, -0.3), "hip": (0.0, 0.0),
    "left_big_toe": (0.13, 0.52), "right_big_toe": (-0.13, 0.52),
    "left_small_toe": (0.12, 0.53), "right_small_toe": (-0.12, 0.53),
    "left_heel": (0.04, 0.52), "right_heel": (-0.04, 0.52),
}  # fmt: skip
HEIGHT = 300.0


def recording(skeleton: str = "coco", *, depths: bool = False, seed: int = 0) -> Recording:
    """Two people; keypoint 3 of 7 is never found, keypoint 9 of 2 not in frame 10."""
    known = load_skeleton(skeleton)
    rng = np.random.default_rng(seed)
    layout = np.array(
        [BODY.get(name, tuple(rng.uniform(-0.4, 0.4, 2))) for name in known.keypoints]
    )
    people = [_person(each, layout, rng, depths) for each in IDS]
    frames = np.arange(FRAMES)
    header = Header(
        "gänge.mp4", SIZE, FPS, known, {"pose": "rtmpose-t"}, {"tracker": {"preset": "default"}}
    )
    rows = people[0].joined(people[1:])
    return Recording(header, frames, np.round(frames / FPS, 6), frames % 5 == 0, rows)


def _person(track_id: int, layout: np.ndarray, rng: np.random.Generator, depths: bool) -> Sightings:
    frames, k = AT[track_id], len(layout)
    centre = np.stack([200 + 60 * track_id + 3 * frames, 350 + 5 * np.sin(frames)], axis=-1)
    keypoints = centre[:, None] + HEIGHT * layout + rng.normal(0, 2, (len(frames), k, 2))
    keypoints = np.round(keypoints, 2)
    scores = np.round(rng.uniform(0.4, 1, (len(frames), k)), 4)
    if track_id == 7:
        scores[:, 3] = 0
    else:
        scores[10, 9] = 0
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    states = np.array([NEW] + [TRACKED] * (len(frames) - 1), "<U7")
    states[8] = LOST
    return Sightings(
        frames.astype(np.int64),
        np.full(len(frames), track_id),
        np.round(np.concatenate([low, high], axis=1), 2).astype(np.float32),
        np.round(rng.uniform(0.5, 1, len(frames)), 4).astype(np.float32),
        states,
        keypoints.astype(np.float32),
        scores.astype(np.float32),
        np.round(keypoints + rng.normal(0, 3, keypoints.shape), 2).astype(np.float32),
        np.round(rng.normal(0, 0.2, scores.shape), 4).astype(np.float32) if depths else None,
    )
