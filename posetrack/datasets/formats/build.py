"""A COCO file put together picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from posetrack.datasets.annotations import AREA_OF_BOX
from posetrack.datasets.coco import CocoFile, Row
from posetrack.datasets.names import known_skeleton, named_pairs
from posetrack.skeletons import Skeleton, load_skeleton

Point = tuple[float, float, int]
"""x, y in px and COCO's visibility; (0, 0, 0) is not labelled."""


@dataclass(slots=True)
class Builder:
    """Collects pictures and people; ids count from 1."""

    path: Path
    categories: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    annotations: list[Row] = field(default_factory=list)

    def category(self, name: str, keypoints: Sequence[str] = ()) -> int:
        """The id of the category `name`; made, with these keypoints, where it is new."""
        for row in self.categories:
            if row["name"] == name:
                return int(row["id"])
        row = {"id": len(self.categories) + 1, "name": name}
        if keypoints:
            row |= {"keypoints": list(keypoints), "skeleton": _limbs(keypoints)}
        self.categories.append(row)
        return len(self.categories)

    def picture(self, name: str, size: tuple[int, int], **fields: object) -> int:
        """A picture of (width, height) px; its id."""
        number = len(self.images) + 1
        record = {"id": number, "file_name": name, "width": size[0], "height": size[1]}
        self.images.append(record | fields)
        return number

    def person(
        self,
        picture: int,
        category: int,
        box: Sequence[float] | None,
        points: Sequence[Point] = (),
        *,
        crowd: bool = False,
    ) -> None:
        """One annotation; `box` is xywh, and if None the extent of the labelled points."""
        box = extent(points) if box is None else [float(value) for value in box]
        row: Row = {
            "id": len(self.annotations) + 1,
            "image_id": picture,
            "category_id": category,
            "bbox": box,
            "area": round(AREA_OF_BOX * box[2] * box[3], 2),
            "area_est": 1,
            "iscrowd": int(crowd),
        }
        if points:
            row["keypoints"] = [value for point in points for value in point]
            row["num_keypoints"] = sum(point[2] > 0 for point in points)
        self.annotations.append(row)

    def document(self) -> CocoFile:
        """What was collected."""
        return CocoFile(self.path, self.images, self.annotations, self.categories)


def extent(points: Sequence[Point]) -> list[float]:
    """x, y, w, h around the labelled points; zeros where there are none."""
    seen = [(x, y) for x, y, v in points if v > 0]
    if not seen:
        return [0.0, 0.0, 0.0, 0.0]
    left, top = (min(axis) for axis in zip(*seen, strict=True))
    right, bottom = (max(axis) for axis in zip(*seen, strict=True))
    return [left, top, right - left, bottom - top]


def ordered(found: Sequence[str], skeleton: str | None) -> list[str]:
    """Keypoint names in a fixed order: those of `skeleton`, else of COCO where all are among its
    17, else as found.

    Raises:
        ConfigError: `skeleton` is not known.
    """
    if skeleton is not None:
        return list(load_skeleton(skeleton).keypoints)
    coco = load_skeleton("coco").keypoints
    return list(coco) if found and set(found) <= set(coco) else list(dict.fromkeys(found))


def flip_order(names: Sequence[str]) -> list[int]:
    """Where each keypoint goes when a picture is mirrored."""
    known = known_skeleton(names)
    made = known or Skeleton("own", tuple(names), flip_pairs=named_pairs(names))
    return [int(i) for i in made.flip_order]


def points_of(row: Row) -> list[Point]:
    """The keypoints of an annotation; v = 0 has no coordinates."""
    flat = row.get("keypoints") or []
    triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return [(float(x), float(y), int(v)) if v else (0.0, 0.0, 0) for x, y, v in triples]


def _limbs(names: Sequence[str]) -> list[list[int]]:
    known = known_skeleton(names)
    return [[a + 1, b + 1] for a, b in known.limbs] if known else []
