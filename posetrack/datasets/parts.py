"""Hands or faces of a whole-body set as a set of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from posetrack.datasets.annotations import AREA_OF_BOX
from posetrack.datasets.coco import CocoFile, Row
from posetrack.datasets.formats.build import extent, points_of
from posetrack.errors import ConfigError
from posetrack.skeletons import load_skeleton


@dataclass(frozen=True, slots=True)
class Place:
    """Where one part of a person is written.

    Attributes:
        field: COCO-WholeBody's name of it.
        starts: its first keypoint by their number, where they are in one list (Halpe has 136).
    """

    field: str
    starts: dict[int, int]


PARTS = {
    "hand": (
        "coco_wholebody_hand",
        (Place("lefthand", {133: 91, 136: 94}), Place("righthand", {133: 112, 136: 115})),
    ),
    "face": ("coco_wholebody_face", (Place("face", {133: 23, 136: 26}),)),
}
"""The keypoint set of each part, and its places in a person."""


def part_of(document: CocoFile, part: str) -> CocoFile:
    """The hands or faces of COCO-WholeBody's or Halpe's people, an annotation each.

    The box is the set's own where it has one (COCO-WholeBody), else the extent of the keypoints.
    Parts of which nothing is annotated and crowds are left out; pictures stay.

    Args:
        part: ``hand`` or ``face``.

    Raises:
        ConfigError: no such part, or nobody in `document` has it.
    """
    if part not in PARTS:
        raise ConfigError(f"no part {part!r} of a body: choose of {', '.join(PARTS)}")
    skeleton, places = PARTS[part]
    size = len(load_skeleton(skeleton))
    rows: list[Row] = []
    for row in document.annotations:
        if not row.get("iscrowd"):
            rows += [{"id": len(rows) + 1 + i} | r for i, r in enumerate(_rows(row, places, size))]
    if not rows:
        raise ConfigError(
            f"{document.path} has no {part} of COCO-WholeBody (lefthand_kpts, face_kpts, ...) or "
            "Halpe (136 keypoints): name a file of one of them"
        )
    names = list(load_skeleton(skeleton).keypoints)
    categories = [{"id": 1, "name": part, "keypoints": names, "skeleton": []}]
    return CocoFile(document.path, document.images, rows, categories, document.other)


def _rows(row: Row, places: tuple[Place, ...], size: int) -> Iterator[Row]:
    for place in places:
        flat, box = _keypoints(row, place, size), row.get(f"{place.field}_box")
        flat[2::3] = [ceil(v) for v in flat[2::3]]  # COCO-WholeBody's v may be a share
        points = points_of({"keypoints": flat})
        seen = sum(v > 0 for _, _, v in points)
        if not seen:
            continue
        box = [float(value) for value in box] if box and min(box[2:]) > 0 else extent(points)
        yield {
            "image_id": row["image_id"],
            "category_id": 1,
            "bbox": box,
            "area": round(AREA_OF_BOX * box[2] * box[3], 2),
            "area_est": 1,
            "iscrowd": 0,
            "keypoints": [value for point in points for value in point],
            "num_keypoints": seen,
        }


def _keypoints(row: Row, place: Place, size: int) -> list[float]:
    """Three numbers a keypoint of the part; none where it is not annotated."""
    if f"{place.field}_kpts" in row:
        given = row[f"{place.field}_kpts"] if row.get(f"{place.field}_valid", True) else []
        return list(given)
    flat = row.get("keypoints") or []
    start = place.starts.get(len(flat) // 3)
    return [] if start is None else flat[3 * start : 3 * (start + size)]
