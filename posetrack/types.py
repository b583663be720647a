"""The arrays that flow through posetrack, and the conventions they keep.

Conventions (stated once, true everywhere):

* N people, K keypoints, H x W image; shapes read left to right, arrays are C-contiguous.
* Coordinates: x right, y down, pixels of the *source* frame after its rotation metadata has been
  applied; integers are pixel centres. Anything else says so in its name (``keypoints_crop``).
* Boxes are ``xyxy`` float32. Images are BGR uint8.
* Time is float seconds: ``pts_s`` is media time, ``captured_at`` is ``time.perf_counter()``.
* Coordinates are always finite; a keypoint that was not found has score 0. Scores lie in [0, 1].
* A track id is never recycled, never an array index, and is owned by the tracker that made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from posetrack.skeletons import Skeleton

Image: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


def _rows(value: Any, dtype: type[np.generic], shape: tuple[int | None, ...], name: str) -> Any:
    """Return `value` as a C-contiguous array of `dtype`; None in `shape` admits any length."""
    array = np.ascontiguousarray(value, dtype=dtype)
    found = array.shape
    if found != shape and (
        len(found) != len(shape)
        or any(want not in (None, got) for want, got in zip(shape, found, strict=True))
    ):
        wanted = ", ".join("*" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    # A sum of squares costs a fifth of looking at every value; a large one may overflow.
    odd = array.dtype.kind == "f" and not math.isfinite(np.vdot(array, array))
    if odd and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array


class RowAligned:
    """Selection and repr for dataclasses whose array fields share their first axis."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Self:
        """Rows chosen by a mask, an index array or a slice; a single integer keeps the axis."""
        if isinstance(index, int | np.integer):
            index = slice(index, index + 1 or None)
        chosen = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            selectable = isinstance(value, np.ndarray | RowAligned)
            chosen[field.name] = value[index] if selectable else value
        return type(self)(**chosen)

    def __repr__(self) -> str:
        parts = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            shown = value.shape if isinstance(value, np.ndarray) else repr(value)
            parts.append(f"{field.name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One picture of a source.

    Attributes:
        image: (H, W, 3) BGR uint8, rotated as the file's metadata asks.
        index: position in the source; counts frames that were dropped or skipped.
        pts_s: media time in seconds.
        captured_at: ``time.perf_counter()`` when the frame was read.
        source: name of the source, for messages.
    """

    image: Image
    index: int
    pts_s: float
    captured_at: float
    source: str = ""

    def __post_init__(self) -> None:
        image: Any = self.image
        if not isinstance(image, np.ndarray):  # OpenCV's captures give None at their end
            raise ValueError(f"image must be (H, W, 3) uint8 BGR, got {type(image).__name__}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be (H, W, 3) uint8 BGR, got {image.shape} {image.dtype}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]

    def __repr__(self) -> str:
        width, height = self.size
        return f"Frame({self.source!r} #{self.index} {width}x{height} at {self.pts_s:.3f} s)"


@dataclass(frozen=True, slots=True, repr=False)
class Detections(RowAligned):
    """What a detector found: boxes (N, 4) xyxy, scores (N,), labels (N,)."""

    boxes: Floats
    scores: Floats
    labels: Ints

    def __post_init__(self) -> None:
        boxes = _rows(self.boxes, np.float32, (None, 4), "boxes")
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", _rows(self.scores, np.float32, (len(boxes),), "scores"))
        object.__setattr__(self, "labels", _rows(self.labels, np.int64, (len(boxes),), "labels"))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Self:
        """Nobody found (which is not the same as a detector that failed or did not run)."""
        return cls(np.empty((0, 4)), np.empty(0), np.empty(0))  # type: ignore[arg-type]

    @classmethod
    def from_boxes(cls, boxes: npt.ArrayLike) -> Self:
        """Boxes (N, 4) known from elsewhere: score 1, label 0."""
        rows = np.asarray(boxes, np.float32).reshape(-1, 4)
        finite = np.isfinite(rows).all(axis=1)  # what is not is told by whoever takes them
        turned = np.flatnonzero((rows[:, 2:] < rows[:, :2]).any(axis=1) & finite)
        if len(turned):
            first = ", ".join(f"{value:g}" for value in rows[turned[0]])
            raise ValueError(f"box {turned[0]} is ({first}): boxes are corners, x1, y1, x2, y2")
        return cls(rows, np.ones(len(rows), np.float32), np.zeros(len(rows), np.int64))


@dataclass(frozen=True, slots=True, repr=False)
class Poses(RowAligned):
    """Keypoints of the people in one frame.

    Attributes:
        keypoints: (N, K, 2) source pixels.
        scores: (N, K) in [0, 1]; 0 where a keypoint was not found.
        boxes: (N, 4) xyxy, the boxes the poses were read from.
        box_scores: (N,) in [0, 1].
        skeleton: what the K keypoints are.
        depths: (N, K) metres relative to the skeleton's root, only from 3D models.
    """

    keypoints: Floats
    scores: Floats
    boxes: Floats
    box_scores: Floats
    skeleton: Skeleton
    depths: Floats | None = None

    def __post_init__(self) -> None:
        n, k = len(self.keypoints), len(self.skeleton)
        for name, shape in (
            ("keypoints", (n, k, 2)),
            ("scores", (n, k)),
            ("boxes", (n, 4)),
            ("box_scores", (n,)),
        ):
            object.__setattr__(self, name, _rows(getattr(self, name), np.float32, shape, name))
        if self.depths is not None:
            object.__setattr__(self, "depths", _rows(self.depths, np.float32, (n, k), "depths"))

    def __len__(self) -> int:
        return len(self.keypoints)

    @classmethod
    def empty(cls, skeleton: Skeleton) -> Self:
        """Nobody in the frame."""
        k = len(skeleton)
        zeros = np.zeros
        return cls(zeros((0, k, 2)), zeros((0, k)), zeros((0, 4)), zeros(0), skeleton)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, repr=False)
class Tracks(RowAligned):
    """Poses with identities; only a tracker makes them.

    Attributes:
        poses: N smoothed poses.
        ids: (N,) int64, lasting and never recycled.
        age_s: (N,) seconds since the track was born.
        observed: (N,) True where this frame saw the person, False where the pose is predicted.
    """

    poses: Poses
    ids: Ints
    age_s: Floats
    observed: Bools

    def __post_init__(self) -> None:
        n = len(self.poses)
        object.__setattr__(self, "ids", _rows(self.ids, np.int64, (n,), "ids"))
        object.__setattr__(self, "age_s", _rows(self.age_s, np.float32, (n,), "age_s"))
        object.__setattr__(self, "observed", _rows(self.observed, np.bool_, (n,), "observed"))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Self]:
        """One person at a time, each a Tracks of one row."""
        return (self[i] for i in range(len(self)))

    @classmethod
    def empty(cls, skeleton: Skeleton) -> Self:
        """Nobody tracked."""
        zeros = np.zeros
        return cls(Poses.empty(skeleton), zeros(0), zeros(0), zeros(0))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, repr=False)
class Heat(RowAligned):
    """How sure a pose network was of each place, all keypoints of a person in one map.

    Attributes:
        maps: (N, h, w) in [0, 1].
        placements: (N, 2, 3) map px -> source px.
    """

    maps: Floats
    placements: Floats

    def __post_init__(self) -> None:
        maps = _rows(self.maps, np.float32, (None, None, None), "maps")
        placements = _rows(self.placements, np.float32, (len(maps), 2, 3), "placements")
        object.__setattr__(self, "maps", maps)
        object.__setattr__(self, "placements", placements)

    def __len__(self) -> int:
        return len(self.maps)


@dataclass(frozen=True, slots=True)
class Mark:
    """When a stage worked on a frame: `begin` and `end` by ``time.perf_counter()``."""

    stage: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """Everything known about one frame.

    Attributes:
        frame: the picture.
        tracks: who is in it, smoothed.
        raw: (N, K, 2) keypoints as the pose network gave them, row-aligned with `tracks`.
        detector_ran: whether this was a detector frame.
        marks: stage timings.
        heat: what the pose network answered, where the estimator keeps it.
    """

    frame: Frame
    tracks: Tracks
    raw: Floats
    detector_ran: bool
    marks: tuple[Mark, ...] = ()
    heat: Heat | None = None

    def __repr__(self) -> str:
        return (
            f"Result({self.frame!r}, ids={self.tracks.ids.tolist()}, "
            f"tracks={self.tracks!r}, detector_ran={self.detector_ran})"
        )
