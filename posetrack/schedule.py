"""When the detector looks."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.types import Floats, Frame, Tracks

_WIDTH = 96
"""Columns of the small picture in which motion is looked for."""
_CHANGED = 18
"""Grey levels by which a pixel of it differs where something moved."""
_MOVED = 0.006
"""Share of the picture that must have moved: somebody a tenth as high as the picture is wide."""
_AROUND = 0.15
"""Share of its sides by which a known person's box explains motion around it."""
_FADED = 0.75
"""Share of its usual mean score below which a pose is fading."""
_USUAL = 0.1
"""Weight of the newest frame in the usual mean score."""


class Schedule(Protocol):
    """Decides frame by frame. Call `due` once a frame, in order."""

    interval: int
    """Frames from one look to the next, at least."""
    needs_tracks: bool
    """Whether it must know what came of the frame before."""

    def due(self, frame: Frame, known: Tracks | None) -> bool:
        """Whether the detector shall run on this frame; `known` are the last frame's people."""
        ...

    def looked(self, frame: Frame) -> None:
        """It runs on this frame."""
        ...

    def reset(self) -> None:
        """Begin another stream."""
        ...


class Every:
    """Every `interval`-th frame; 0 or less is never."""

    needs_tracks = False

    def __init__(self, interval: int) -> None:
        self.interval, self._count = interval, 0

    def due(self, frame: Frame, known: Tracks | None) -> bool:  # noqa: ARG002 - as every schedule
        """Whether its turn has come."""
        turn = self.interval > 0 and self._count % self.interval == 0
        self._count += 1
        return turn

    def looked(self, frame: Frame) -> None:
        """The rhythm goes on."""

    def reset(self) -> None:
        """The next frame is the first."""
        self._count = 0


class WhenNeeded:
    """Where a person was lost or fades, something moves that nobody explains, or it is long ago.

    Args:
        interval: so many frames lie between two looks at least.
        longest_s: and so much time at most.
    """

    needs_tracks = True

    def __init__(self, interval: int = 5, longest_s: float = 1.0) -> None:
        self.interval, self._longest_s = interval, longest_s
        self.reset()

    def reset(self) -> None:
        """The next frame is looked at."""
        self._frames = 0
        self._looked_s = -np.inf
        self._then: npt.NDArray[np.int16] | None = None
        self._boxes: Floats = np.zeros((0, 4), np.float32)
        self._ids: set[int] = set()
        self._usual: dict[int, float] = {}
        self._asked = False

    def due(self, frame: Frame, known: Tracks | None) -> bool:
        """Whether there is a reason, now or since the last look, and the interval has passed."""
        self._frames += 1
        if self._then is None or known is None:
            return True
        if self._frames == 1:
            self._boxes = known.poses.boxes  # of the frame that was looked at
        since_s = frame.pts_s - self._looked_s
        self._asked |= self._lost_or_fading(known)
        if self._frames < self.interval:
            return False
        if self._asked or not 0 <= since_s < self._longest_s:
            return True
        return self._moved(frame, known)

    def looked(self, frame: Frame) -> None:
        """Whatever moves from here on is new."""
        self._frames, self._looked_s, self._asked = 0, frame.pts_s, False
        self._then = _small(frame)

    def _lost_or_fading(self, known: Tracks) -> bool:
        """Whether somebody was lost in the last frame, or became much less certain."""
        ids = known.ids.tolist()
        lost = bool(self._ids - set(ids))
        usual: dict[int, float] = {}
        fading = False
        for track_id, score in zip(ids, known.poses.scores.mean(axis=1).tolist(), strict=True):
            before = self._usual.get(track_id, score)
            fading |= score < _FADED * before
            usual[track_id] = before + _USUAL * (score - before)
        self._ids, self._usual = set(ids), usual
        return lost or fading

    def _moved(self, frame: Frame, known: Tracks) -> bool:
        """Whether much has changed since the last look where nobody is or was."""
        now, then = _small(frame), self._then
        if then is None or now.shape != then.shape:
            return True
        change = now - then
        change -= np.int16(np.median(change))  # the light, or the camera's exposure
        changed = (np.abs(change) > _CHANGED).astype(np.uint8)
        scale = now.shape[1] / frame.size[0]
        for boxes in (self._boxes, known.poses.boxes):
            room = _AROUND * (boxes[:, 2:] - boxes[:, :2])
            corners = np.concatenate([boxes[:, :2] - room, boxes[:, 2:] + room], axis=1) * scale
            for left, top, right, bottom in np.clip(corners, 0, None).astype(int).tolist():
                changed[top : bottom + 1, left : right + 1] = 0
        return bool(cv2.countNonZero(changed) > _MOVED * changed.size)


def schedule_of(interval: int | Schedule) -> Schedule:
    """The schedule of every `interval`-th frame, or the one that is given.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(interval, int):
        return Every(interval)
    if not hasattr(interval, "due"):
        raise ConfigError(
            f"det_interval is {interval!r}: give a whole number, "
            "or posetrack.schedule.WhenNeeded() to detect where it is needed"
        )
    return interval


def _small(frame: Frame) -> npt.NDArray[np.int16]:
    """(h, about 96) blurred green values of the frame."""
    step = max(frame.size[0] // _WIDTH, 1)
    half = step // 2
    picked = np.ascontiguousarray(frame.image[half::step, half::step, 1])
    return np.asarray(cv2.blur(picked, (3, 3)), np.int16)
