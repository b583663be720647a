"""Recordings of people who walk along known paths."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from posetrack.records import NEW, TRACKED, Header, Recording, Sightings
from posetrack.skeletons import load_skeleton

COCO = load_skeleton("coco")
FPS = 25.0
SIZE = np.array([40.0, 100.0])
Path = Callable[[np.ndarray], np.ndarray]


def line(x: float, y: float, vx: float = 0.0, vy: float = 0.0) -> Path:
    """Centres (N, 2) at times (N,) of somebody at constant speed."""
    return lambda t: np.stack([x + vx * t, y + vy * t], axis=-1)


def walker(track_id: int, path: Path, frames: np.ndarray, *, fps: float = FPS) -> Sightings:
    """One person in these frames, all of whose keypoints lie along his box's diagonal."""
    centre = path(frames / fps)
    boxes = np.concatenate([centre - SIZE / 2, centre + SIZE / 2], axis=1)
    along = np.linspace(-0.4, 0.4, 17)[None, :, None] * SIZE
    keypoints = centre[:, None] + along
    n = len(frames)
    return Sightings(
        np.asarray(frames, np.int64),
        np.full(n, track_id),
        boxes.astype(np.float32),
        np.full(n, 0.9, np.float32),
        np.array([NEW] + [TRACKED] * (n - 1), "<U7"),
        keypoints.astype(np.float32),
        np.full((n, 17), 0.8, np.float32),
        keypoints.astype(np.float32),
    )


def recording(walkers: list[Sightings], frames: int = 100, *, fps: float = FPS) -> Recording:
    """All of them in a video of so many frames."""
    header = Header("walk.mp4", (640, 480), fps, COCO)
    index = np.arange(frames)
    rows = walkers[0].joined(walkers[1:])
    return Recording(header, index, index / fps, index % 5 == 0, rows)
