"""COCO-WholeBody (Jin et al., ECCV 2020) keeps feet, face and hands in fields of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from posetrack.skeletons import load_skeleton

_BODY = 17
_PARTS = {"foot": 6, "face": 68, "lefthand": 21, "righthand": 21}


def gather_parts(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The keypoint names of `rows`, whose parts are appended to their ``keypoints``.

    Rows that have none of the parts' fields, and their names, stay as they are. A part that is not
    ``…_valid`` is not annotated: v = 0.

    Raises:
        ValueError: a part has not as many numbers as its keypoints need.
    """
    fields = [f"{part}_kpts" for part in _PARTS]
    if len(names) != _BODY or not any(field in row for row in rows for field in fields):
        return tuple(names)
    for row in rows:
        body = row.get("keypoints") or [0] * 3 * _BODY
        parts = [value for part in _PARTS for value in _part(row, part)]
        row["keypoints"] = [*body, *parts]
        row["num_keypoints"] = sum(v > 0 for v in row["keypoints"][2::3])
    return (*names, *load_skeleton("coco_wholebody").keypoints[_BODY:])


def _part(row: dict[str, Any], part: str) -> list[float]:
    size = 3 * _PARTS[part]
    given = row.get(f"{part}_kpts") if row.get(f"{part}_valid", True) else None
    if given is not None and len(given) != size:
        raise ValueError(f"{part}_kpts has {len(given)} numbers, it needs {size}")
    return list(given) if given is not None else [0] * size
