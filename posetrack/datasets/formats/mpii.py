"""MPII Human Pose as the field trains on it; only read.

Andriluka et al., CVPR 2014, in the JSON of Xiao et al. (ECCV 2018, ``mpii_train.json``), which
HRNet and MMPose take too: ``image``, ``center``, ``scale`` (of 200 px), ``joints``, ``joints_vis``.
Coordinates count from 1. Heads are in a file of their own, ``mpii_gt_val.mat``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posetrack.datasets.coco import CocoFile
from posetrack.datasets.formats.build import Builder
from posetrack.datasets.formats.files import image_size, read_any_json
from posetrack.errors import ConfigError
from posetrack.skeletons import load_skeleton
from posetrack.types import Floats

SKELETON = "mpii"
_BODY_PX = 200.0
_LOWER_PX = 15.0
"""The box is moved down by this at scale 1, or ankles lie outside (Xiao et al., MMPose)."""


def read_mpii(path: Path, skeleton: str | None = None, images: Path | None = None) -> CocoFile:
    """The people of ``mpii_train.json`` or ``mpii_val.json``; pictures in `images`, else ``images``
    beside the file or its folder.

    With ``mpii_gt_<part>.mat`` beside the file people have a ``head_box`` for PCKh.

    Raises:
        ConfigError: with the person who cannot be read, or the picture that is missing.
    """
    if skeleton not in (None, SKELETON):
        raise ConfigError(f"MPII has the keypoints of {SKELETON}, {skeleton} was asked")
    people = read_any_json(path)
    if not isinstance(people, list):
        raise ConfigError(f"{path} holds no list of people: name mpii_train.json or mpii_val.json")
    names = load_skeleton(SKELETON).keypoints
    builder, pictures = Builder(path), {}
    category = builder.category("person", names)
    folder = images or next(
        (p / "images" for p in (path.parent, path.parent.parent) if (p / "images").is_dir()),
        path.parent / "images",
    )
    heads = _heads(path, len(people))
    for number, row in enumerate(people):
        try:
            name, points, box = str(row["image"]), _points(row, len(names)), _box(row)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ConfigError(f"{path}: person {number} is not MPII's: {reason}") from error
        if name not in pictures:
            pictures[name] = builder.picture(name, image_size(folder / name))
        builder.person(pictures[name], category, box, points)
        if heads is not None:
            builder.annotations[-1]["head_box"] = heads[number].tolist()
    return builder.document()


def _points(row: Any, count: int) -> list[tuple[float, float, int]]:
    places = np.asarray(row["joints"], float)
    seen = np.asarray(row["joints_vis"])
    if places.shape != (count, 2) or seen.shape != (count,):
        raise ValueError(f"{places.shape} joints and {seen.shape} marks, {count} expected")
    return [
        (float(x - 1), float(y - 1), 2) if mark else (0.0, 0.0, 0)
        for (x, y), mark in zip(places, seen, strict=True)
    ]


def _box(row: Any) -> list[float]:
    """x, y, w, h of the square that scale and centre mean."""
    (x, y), scale = row["center"], float(row["scale"])
    side = _BODY_PX * scale
    return [x - 1 - side / 2, y - 1 + _LOWER_PX * scale - side / 2, side, side]


def _heads(path: Path, count: int) -> Floats | None:
    """(N, 4) boxes x, y, w, h of the heads, None where there is no file of them.

    Raises:
        ConfigError: the file is not theirs, or of another number of people.
    """
    file = path.with_name(f"mpii_gt_{path.stem.removeprefix('mpii_')}.mat")
    if not file.is_file():
        return None
    from scipy.io import loadmat

    try:
        corners = np.asarray(loadmat(file)["headboxes_src"], float)  # (2, 2, N)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} cannot be read as MPII's heads: {error}") from error
    if corners.shape != (2, 2, count):
        raise ConfigError(f"{file} has heads {corners.shape}, {path} {count} people: other parts?")
    low, high = corners[0].T - 1, corners[1].T - 1
    return np.concatenate([low, high - low], axis=1)
