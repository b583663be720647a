"""People with identities over time, from MOTChallenge text, COCO-style video JSON or our records.

Boxes are xyxy in float64: figures are compared with other programs' to the last digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError, PosetrackError
from posetrack.records import read_records
from posetrack.skeletons import Skeleton, load_skeleton, skeleton_names
from posetrack.types import Bools, Ints

Doubles = npt.NDArray[np.float64]
Row = dict[str, Any]

_PEDESTRIAN = 1
_DISTRACTORS = frozenset({2, 7, 8, 12})
"""Classes of MOT17 that may be found or not: on a vehicle, static, distractor, reflection."""


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """Who is in one frame; N people, K keypoints, row-aligned.

    Attributes:
        ids: (N,) whatever number.
        boxes: (N, 4) xyxy px.
        keypoints: (N, K, 2) px; K is 0 in files of boxes.
        visible: (N, K) which keypoints are annotated, or found.
        areas: (N,) px^2, of the person.
        ignored: (M, 4) boxes in which whoever is found is neither right nor wrong.
        unjudged: (R, 4) annotated boxes that do not count; whoever is found there is wrong, but
            not excused by an ignored box beside it.
        raw: (N, K, 2) px before smoothing, where the file has them.
    """

    ids: Ints
    boxes: Doubles
    keypoints: Doubles
    visible: Bools
    areas: Doubles
    ignored: Doubles
    unjudged: Doubles = field(default_factory=lambda: np.zeros((0, 4)))
    raw: Doubles | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls, keypoints: int) -> TrackedFrame:
        """Nobody."""
        return cls.from_rows([], keypoints)

    @classmethod
    def from_rows(cls, rows: Sequence[Row], keypoints: int) -> TrackedFrame:
        """Of rows with ``id`` and ``box``; ``points`` (K, 3), ``area`` and ``kind`` may be there.

        Points are x, y and a mark that is above 0 where the keypoint counts. The kind is a person,
        ``ignored`` or ``unjudged``.
        """
        people = [row for row in rows if "kind" not in row]
        points = np.array([row.get("points", []) for row in people], np.float64)
        points = points.reshape(len(people), keypoints, 3)
        boxes = _boxes(people)
        sides = boxes[:, 2:] - boxes[:, :2]
        estimated = (_SHARE * sides.prod(axis=1)).tolist()
        areas = [row.get("area") or area for row, area in zip(people, estimated, strict=True)]
        return cls(
            np.array([row["id"] for row in people], np.int64),
            boxes,
            points[..., :2],
            points[..., 2] > 0,
            np.array(areas, np.float64),
            _boxes([row for row in rows if row.get("kind") == "ignored"]),
            _boxes([row for row in rows if row.get("kind") == "unjudged"]),
        )


_SHARE = 0.53
"""Of a person's box, what COCO's masks of people cover on the average."""


@dataclass(frozen=True, slots=True)
class TrackFile:
    """One file, one video.

    Attributes:
        path: of the file.
        frames: by index from 0; only frames that the file speaks of.
        skeleton: None in files of boxes.
        fps: None where the file does not say it.
        times_s: of each frame, where the file has them.
        sparse: other frames than those were not looked at; else nobody is in them.
    """

    path: Path
    frames: Mapping[int, TrackedFrame]
    skeleton: Skeleton | None = None
    fps: float | None = None
    times_s: Mapping[int, float] = field(default_factory=dict)
    sparse: bool = False

    def at(self, index: int) -> TrackedFrame:
        """Who is in frame `index`."""
        found = self.frames.get(index)
        if found is not None:
            return found
        return TrackedFrame.empty(len(self.skeleton) if self.skeleton else 0)


def read_tracks(path: Path, *, truth: bool, video: str | None = None) -> TrackFile:
    """The people in a ``.txt`` (MOTChallenge), ``.json`` (COCO, PoseTrack) or ``.jsonl`` (records).

    Args:
        truth: of MOTChallenge truth only pedestrians with a flag count; of results, every row.
        video: which one, of a JSON file of several.

    Raises:
        ConfigError: no such file, or none of these formats.
    """
    readers: dict[str, Callable[[], TrackFile]] = {
        ".txt": lambda: _read_mot(path, truth=truth),
        ".json": lambda: _read_coco(path, video),
        ".jsonl": lambda: _read_records(path),
    }
    if not path.is_file():
        raise ConfigError(f"no tracks at {path}: check the path")
    if path.suffix.lower() not in readers:
        raise ConfigError(
            f"tracks {path}: give MOTChallenge .txt, COCO or PoseTrack .json, or posetrack's .jsonl"
        )
    try:
        return readers[path.suffix.lower()]()
    except PosetrackError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"tracks {path} cannot be read: {reason}") from error


def _read_mot(path: Path, *, truth: bool) -> TrackFile:
    """``frame, id, left, top, width, height, flag, class, ...``."""
    rows: dict[int, list[Row]] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        values = [float(v) for v in re.split(r"[,;\s]+", line.strip(" ,;\t"))]
        if len(values) < 6:
            raise ValueError(f"line {number} has {len(values)} numbers, a box takes 6")
        x, y, w, h = values[2:6]
        flag = values[6] if len(values) > 6 else 1.0
        kind = int(values[7]) if len(values) > 7 else _PEDESTRIAN
        row: Row = {"id": int(values[1]), "box": [x, y, x + w, y + h]}
        if truth and kind in _DISTRACTORS:
            row["kind"] = "ignored"
        elif truth and (flag == 0 or kind != _PEDESTRIAN):
            row["kind"] = "unjudged"
        people = rows.setdefault(int(values[0]) - 1, [])
        if truth or row["id"] >= 0:
            people.append(row)
    if not rows:
        raise ValueError("it is empty")
    return TrackFile(path, {i: TrackedFrame.from_rows(r, 0) for i, r in rows.items()})


def _read_records(path: Path) -> TrackFile:
    header, records = read_records(path)
    frames, times = {}, {}
    for record in records:
        boxes = record.boxes.astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2]
        frames[record.frame] = TrackedFrame(
            record.ids,
            boxes,
            record.keypoints.astype(np.float64),
            record.scores > 0,
            _SHARE * sides[:, 0] * sides[:, 1],
            np.zeros((0, 4)),
            raw=record.raw.astype(np.float64),
        )
        times[record.frame] = float(record.pts_s)
    return TrackFile(path, frames, header.skeleton, header.fps, times)


def _read_coco(path: Path, video: str | None) -> TrackFile:
    data = json.loads(path.read_bytes())
    images = _of_one_video(data, video)
    labelled = [i for i in images if i.get("is_labeled", True) and not i.get("ignore")]
    index = _frame_numbers(images)
    category = next((c for c in data.get("categories", ()) if c.get("keypoints")), None)
    skeleton = None if category is None else _skeleton(category["keypoints"])
    count = len(skeleton) if skeleton else 0
    rows: dict[Any, list[Row]] = {image["id"]: [] for image in labelled}
    for row in data["annotations"]:
        if row["image_id"] in rows:
            rows[row["image_id"]].append(_person(row, count))
    frames = {index[key]: TrackedFrame.from_rows(people, count) for key, people in rows.items()}
    return TrackFile(path, frames, skeleton, sparse=True)


def _of_one_video(data: Row, video: str | None) -> list[Row]:
    """The image records of the one video, or of that called `video`."""
    names = {str(v["id"]): str(v.get("name", v["id"])) for v in data.get("videos", ())}

    def name(image: Row) -> str:
        number = str(image.get("video_id", image.get("vid_id", "")))
        return names.get(number, number)

    videos = sorted({name(image) for image in data["images"]})
    if video is None and len(videos) > 1:
        shown = ", ".join(videos[:6])
        raise ValueError(f"it holds {len(videos)} videos ({shown}, ...): name one with --video")
    if video is not None and video not in videos:
        raise ValueError(f"it holds no video {video!r}, but {', '.join(videos[:6])}")
    chosen = [i for i in data["images"] if video is None or name(i) == video]
    if not chosen:
        raise ValueError("it holds no images")
    return chosen


def _frame_numbers(images: Sequence[Row]) -> dict[Any, int]:
    """Index from 0 of each image id: by ``frame_id``, else by the number its file name ends in."""
    numbers = [int(image["frame_id"]) for image in images if "frame_id" in image]
    if len(numbers) < len(images):
        ends = [re.search(r"(\d+)\D*$", str(image.get("file_name", ""))) for image in images]
        numbers = [int(end[1]) for end in ends if end]
    if len(numbers) < len(images):
        numbers = list(range(len(images)))
    # Whether a file counts from 0, from 1 or from a number of its video: its first frame is 0.
    first = min(numbers)
    return {image["id"]: n - first for image, n in zip(images, numbers, strict=True)}


def _person(row: Row, count: int) -> Row:
    x, y, w, h = (float(v) for v in row["bbox"])
    given = row.get("keypoints") or [0.0] * (3 * count)
    found = row.get("track_id", row.get("instance_id"))
    crowd = bool(row.get("iscrowd") or row.get("ignore"))
    if found is None and not crowd:
        raise ValueError("an annotation has neither track_id nor instance_id")
    return {
        **({"kind": "ignored"} if crowd else {}),
        "id": 0 if found is None else int(found),
        "box": [x, y, x + w, y + h],
        "points": np.reshape(np.asarray(given, np.float64), (count, 3)),
        "area": float(row.get("area") or 0),
    }


def _skeleton(names: Sequence[str]) -> Skeleton:
    """The built-in set with these keypoints in this order, else one with default sigmas."""
    for known in map(load_skeleton, skeleton_names()):
        if known.keypoints == tuple(names):
            return known
    return Skeleton("file", tuple(names))


def _boxes(rows: Sequence[Row]) -> Doubles:
    return np.array([row["box"] for row in rows], np.float64).reshape(-1, 4)
