"""Somebody who walks between several cameras, drawn for each of them, with the truth in metres.

The world is Pose2Sim's: Z up, metres. Figures are drawn without perspective, so the cameras stand
200 m away behind long lenses, where perspective moves nothing by more than 4 mm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from posetrack import motions, stage
from posetrack.figures import Outfit
from posetrack.skeletons import load_skeleton

Points: TypeAlias = npt.NDArray[np.float64]

FPS, SECONDS, SIZE = 25, 1.6, (480, 480)
HEIGHT_M, PX_PER_M, AWAY_M, FLOOR_Y = 1.75, 220.0, 200.0, 440.0
LIMBS = tuple(
    (index, name)
    for index, name in enumerate(load_skeleton("coco").keypoints)
    if index >= 5  # the head's points lie on its surface and are no joints
)
_OUTFIT = Outfit((150, 175, 215), (35, 45, 60), (62, 70, 168), (104, 74, 52), (40, 40, 45))


@dataclass(frozen=True)
class Camera:
    """A camera at the height of the hips that looks at the middle, from this direction."""

    name: str
    azimuth: float

    @property
    def rotation(self) -> Points:
        """(3, 3) the world's axes -> right, down, forward."""
        sine, cosine = math.sin(self.azimuth), math.cos(self.azimuth)
        return np.array([[-sine, cosine, 0], [0, 0, -1], [-cosine, -sine, 0]])

    def toml(self) -> str:
        """Its section of Pose2Sim's calibration file."""
        f, (width, height) = PX_PER_M * AWAY_M, SIZE
        matrix = [[f, 0.0, width / 2], [0.0, f, height / 2], [0.0, 0.0, 1.0]]
        middle_m = (FLOOR_Y - height / 2) / PX_PER_M  # above the floor, where it looks at
        shift = self.rotation @ np.array([0, 0, -middle_m]) + np.array([0, 0, AWAY_M])
        turn = cv2.Rodrigues(self.rotation)[0].ravel()
        return (
            f'[{self.name}]\nname = "{self.name}"\nsize = [{width}.0, {height}.0]\n'
            f"matrix = {matrix}\ndistortions = [0.0, 0.0, 0.0, 0.0]\n"
            f"rotation = {turn.tolist()}\ntranslation = {shift.tolist()}\nfisheye = false\n"
        )


CAMERAS = (Camera("cam1", 0.3), Camera("cam2", 1.2), Camera("cam3", -0.9))


@dataclass(frozen=True)
class Moment:
    """Where somebody is on the floor (m), where he looks (radians), and what his joints do."""

    place: Points
    heading: float
    joints: motions.Joints

    def world(self) -> Points:
        """(12, 3) shoulders to ankles in metres."""
        forward = np.array([math.cos(self.heading), math.sin(self.heading), 0])
        left, up = np.array([-forward[1], forward[0], 0]), np.array([0.0, 0, 1])
        body = np.array([self.joints[name] for _, name in LIMBS])  # left, up, forward
        return self.place + HEIGHT_M * body @ np.array([left, up, forward])

    def seen_by(self, camera: Camera) -> stage.Figure:
        """The figure that the camera's picture shows."""
        return stage.Figure(
            track_id=1,
            joints=self.joints,
            outfit=_OUTFIT,
            x=SIZE[0] / 2 + PX_PER_M * float(camera.rotation[0] @ self.place),
            y=FLOOR_Y,
            height=HEIGHT_M * PX_PER_M,
            yaw=self.heading - camera.azimuth,
        )


def walk() -> Iterator[Moment]:
    """A short walk through the middle, a moment a frame."""
    for index in range(round(FPS * SECONDS)):
        t = index / FPS
        place = np.array([-0.35 + 0.45 * t, 0.1 - 0.1 * t, 0.0])
        yield Moment(place, heading=-0.2 + 0.2 * t, joints=motions.walking(0.4 + 4.5 * t))


def pictures(camera: Camera) -> Iterator[stage.Picture]:
    """What the camera saw, and the truth about it in px."""
    noise = np.random.default_rng(1)
    wall = stage.room(SIZE, 400, noise)
    grain = noise.normal(0, 1.5, (*SIZE[::-1], 3)).astype(np.float32)
    for moment in walk():
        image = wall.copy()
        truth = stage.populate(image, [moment.seen_by(camera)], floor_y=400)
        yield stage.finished(image, grain), truth
