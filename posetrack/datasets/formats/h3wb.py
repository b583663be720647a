"""H3WB: whole bodies of Human3.6M in the picture (px) and in space (mm); only read.

Zhu et al., ICCV 2023. A JSON object of samples with ``image_path``, ``bbox``, ``keypoints_2d`` and
``keypoints_3d``, points by their number as text. Test files, which lack one, are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posetrack.datasets.coco import CocoFile
from posetrack.datasets.formats.build import Builder, Point
from posetrack.datasets.formats.files import image_size, read_json
from posetrack.errors import ConfigError
from posetrack.skeletons import load_skeleton

SKELETON = "coco_wholebody"
SIZE = (1000, 1002)
"""Of Human3.6M's pictures, where they are not beside the file."""


def read_h3wb(path: Path, skeleton: str | None = None) -> CocoFile:
    """The samples of a JSON file as people with ``keypoints_3d`` in metres, three a keypoint.

    Raises:
        ConfigError: with the sample that cannot be read, or another skeleton than H3WB's.
    """
    if skeleton not in (None, SKELETON):
        raise ConfigError(f"H3WB has the keypoints of {SKELETON}, {skeleton} was asked")
    builder = Builder(path)
    names = load_skeleton(SKELETON).keypoints
    category = builder.category("person", names)
    for key, sample in read_json(path).items():
        try:
            flat = _points(sample["keypoints_2d"], len(names), "xy")
            space = _points(sample["keypoints_3d"], len(names), "xyz")
            name = str(sample["image_path"])
            box = _box(sample.get("bbox"))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ConfigError(f"{path}: sample {key} is not H3WB's: {reason}") from error
        place = path.parent / name
        picture = builder.picture(name, image_size(place) if place.is_file() else SIZE)
        points: list[Point] = [(x, y, 2) for x, y in flat]
        builder.person(picture, category, box, points)
        metres = [round(value / 1000, 5) for point in space for value in point]
        builder.annotations[-1]["keypoints_3d"] = metres
    return builder.document()


def _points(given: Any, count: int, axes: str) -> list[tuple[float, ...]]:
    points = [tuple(float(given[str(i)][axis]) for axis in axes) for i in range(count)]
    if len(given) != count:
        raise ValueError(f"{len(given)} keypoints in place of {count}")
    return points


def _box(given: Any) -> list[float] | None:
    """x, y, w, h; None where there is no box, that of the keypoints then stands for it."""
    if given is None:
        return None
    left, top, right, bottom = (float(given[k]) for k in ("x_min", "y_min", "x_max", "y_max"))
    return [left, top, right - left, bottom - top]
