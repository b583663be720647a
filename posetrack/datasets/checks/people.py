"""Boxes and keypoints of annotated people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.checks.records import key
from posetrack.datasets.checks.report import Report
from posetrack.datasets.coco import CocoFile, Row
from posetrack.types import Floats

EDGE_PX = 1.0
"""Labels this far over the edge of a picture are rounding."""
FAR = 0.5
"""A keypoint is far from its box at this share of the box's longer side."""


def check_people(document: CocoFile, report: Report) -> None:
    """Every annotation's box, area and keypoints."""
    records = {key(record.get("id")): record for record in document.images}
    names = {key(c.get("id")): tuple(c.get("keypoints") or ()) for c in document.categories}
    single = next(iter(names.values())) if len(names) == 1 else ()
    for place, row in enumerate(document.annotations):
        record = records.get(key(row.get("image_id")), {})
        expected = names.get(key(row.get("category_id")), single)
        _Person(report, place, row, record, len(expected)).check()


@dataclass(frozen=True, slots=True)
class _Person:
    """One annotation with its image record and the number of keypoints its category names."""

    report: Report
    place: int
    row: Row
    record: Row
    expected: int

    def check(self) -> None:
        box = self._box()
        self._area(box)
        points = self._keypoints()
        if points is not None:
            self._visibility(points)
            self._places(points, box)

    def _add(self, kind: str, detail: str) -> None:
        name = str(self.record.get("file_name", ""))
        whose: dict[str, Any] = {"annotation": self.row.get("id"), "row": self.place}
        self.report.add(kind, detail, picture=name, **whose)

    def _size(self) -> tuple[float, float] | None:
        size = numbers([self.record.get("width"), self.record.get("height")])
        return None if size is None else (size[0], size[1])

    def _box(self) -> list[float] | None:
        """xywh; None where it is not usable, which is reported."""
        box = numbers(self.row.get("bbox"), 4)
        if box is None:
            self._add("bad-box", f"bbox {str(self.row.get('bbox'))[:60]}")
            return None
        x, y, width, height = box
        if min(width, height) <= 0:
            self._add("empty-box", f"{width:g} x {height:g}")
            return None
        size = self._size()
        if size is None:
            return box
        over = max(-x, -y, x + width - size[0], y + height - size[1])
        if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
            self._add("box-outside", f"x {x:g}, y {y:g} in {size[0]:g} x {size[1]:g}")
        elif over > EDGE_PX:
            self._add("box-over-edge", f"{over:.1f} px over the edge")
        return box

    def _area(self, box: list[float] | None) -> None:
        if "area" not in self.row:
            return
        area = numbers([self.row["area"]])
        if area is None or area[0] <= 0:
            self._add("bad-area", f"area {self.row['area']}")
        elif box is not None and area[0] > 1.01 * box[2] * box[3] + 1:
            self._add("large-area", f"area {area[0]:.0f}, box {box[2] * box[3]:.0f}")

    def _keypoints(self) -> Floats | None:
        """(K, 3); None where there are none or they are not usable, which is reported."""
        given = self.row.get("keypoints")
        if given is None or given == []:
            return None
        if not self.expected:
            self._add("unnamed-keypoints", "keypoints, but the category names none")
            return None
        if isinstance(given, list) and len(given) != 3 * self.expected:
            self._add(
                "keypoint-count",
                f"{len(given)} numbers, {self.expected} names need {3 * self.expected}",
            )
            return None
        flat = numbers(given)
        if flat is None:
            self._add("bad-keypoints", f"keypoints {str(given)[:40]}...")
            return None
        return np.asarray(flat, np.float32).reshape(-1, 3)

    def _visibility(self, points: Floats) -> None:
        v = points[:, 2]
        strange = sorted({float(value) for value in v} - {0.0, 1.0, 2.0})
        if strange:
            self._add("visibility", f"v = {', '.join(f'{value:g}' for value in strange[:3])}")
        kept = int((points[v == 0, :2] != 0).any(axis=1).sum())
        if kept:
            self._add("hidden-coordinates", f"{kept} keypoints: not learned, v should be 1")
        said, found = self.row.get("num_keypoints"), int((v > 0).sum())
        if said is not None and said != found:
            self._add("num-keypoints", f"says {said}, {found} are labelled")

    def _places(self, points: Floats, box: list[float] | None) -> None:
        seen = points[points[:, 2] > 0, :2]
        size = self._size()
        if not len(seen):
            return
        if size is not None:
            over = np.maximum(-seen, seen - (np.asarray(size, np.float32) - 1)).max(axis=1)
            if (over > EDGE_PX).any():
                count = int((over > EDGE_PX).sum())
                self._add("keypoint-outside", f"{count} up to {over.max():.1f} px outside")
        if box is not None:
            low, extent = np.asarray(box[:2], np.float32), np.asarray(box[2:], np.float32)
            away = np.maximum(low - seen, seen - (low + extent)).max(axis=1) / extent.max()
            if (away > FAR).any():
                count = int((away > FAR).sum())
                self._add("keypoint-far", f"{count} up to {away.max():.1f} box sides away")
