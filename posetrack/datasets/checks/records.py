"""The lists of a COCO file: ids, references, duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.checks.report import Report
from posetrack.datasets.coco import CocoFile, Row


def check_records(document: CocoFile, report: Report) -> None:
    """Image records, ids and what annotations refer to."""
    if not document.images or not document.annotations:
        counts = f"{len(document.images)} images, {len(document.annotations)} annotations"
        report.add("empty-set", counts)
    _check_images(document, report)
    for number in _repeated(row.get("id") for row in document.annotations):
        report.add("duplicate-id", "annotation id", annotation=number)
    _check_references(document, report)
    _check_doubles(document, report)


def _check_images(document: CocoFile, report: Report) -> None:
    for place, record in enumerate(document.images):
        size = numbers([record.get("width"), record.get("height")])
        lacking = [key for key in ("id", "file_name") if record.get(key) in (None, "")]
        if size is None or min(size) <= 0:
            lacking.append("size")
        if lacking:
            name = str(record.get("file_name", f"images[{place}]"))
            report.add("incomplete-image", f"no {', no '.join(lacking)}", picture=name)
    for number in _repeated(record.get("id") for record in document.images):
        report.add("duplicate-image-id", f"image id {number}")
    names = ((r.get("tar"), str(r["file_name"])) for r in document.images if r.get("file_name"))
    for _, name in _repeated(names):
        report.add("duplicate-file", "listed more than once", picture=name)


def _check_references(document: CocoFile, report: Report) -> None:
    images = picture_names(document)
    categories = {key(category.get("id")) for category in document.categories}
    for place, row in enumerate(document.annotations):
        image, category = row.get("image_id"), row.get("category_id")
        whose: Row = {"annotation": row.get("id"), "row": place}
        if key(image) not in images:
            report.add("unknown-image", f"image_id {image}", **whose)
        # Some tools leave category_id out of sets of one class, which is no ambiguity.
        if key(category) not in categories and not (category is None and len(categories) == 1):
            name = images.get(key(image), "")
            report.add("unknown-category", f"category_id {category}", picture=name, **whose)


def _check_doubles(document: CocoFile, report: Report) -> None:
    images = picture_names(document)
    seen: set[tuple[Hashable, ...]] = set()
    for place, row in enumerate(document.annotations):
        box = numbers(row.get("bbox"), 4)
        if box is None:
            continue
        who = (key(row.get("image_id")), key(row.get("category_id")), *box)
        if who in seen:
            name = images.get(key(row.get("image_id")), "")
            at = ", ".join(f"{value:g}" for value in box)
            whose: Row = {"annotation": row.get("id"), "row": place, "picture": name}
            report.add("doubled-person", f"box {at}", **whose)
        seen.add(who)


def picture_names(document: CocoFile) -> dict[Hashable, str]:
    """File names by image id."""
    return {key(record.get("id")): str(record.get("file_name", "")) for record in document.images}


def key(value: Any) -> Hashable:
    """`value` as a dictionary key: ids in broken files may be lists."""
    return value if isinstance(value, Hashable) else repr(value)


def _repeated(values: Iterable[Any]) -> list[Any]:
    counts = Counter(map(key, values))
    return [value for value, count in counts.items() if count > 1 and value is not None]
