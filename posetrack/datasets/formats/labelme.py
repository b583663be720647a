"""labelme: one JSON a picture, with rectangles and points that a ``group_id`` joins to people.

A point's label is the keypoint's name, a rectangle's that of the category. Points with the flag
``occluded`` are labelled but hidden (v = 1); a rectangle with the flag ``crowd`` is a crowd.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.coco import CocoFile, Row, relative_name, write_bytes
from posetrack.datasets.formats.build import Builder, Point, ordered, points_of
from posetrack.datasets.formats.files import by_image, image_size, read_json
from posetrack.errors import ConfigError

VERSION = "5.5.0"
"""Of the labelme whose format is written."""


@dataclass(slots=True)
class _Someone:
    """The shapes of one person."""

    label: str = ""
    box: list[float] | None = None
    points: dict[str, Point] = field(default_factory=dict)
    crowd: bool = False


def read_labelme(folder: Path, skeleton: str | None = None) -> CocoFile:
    """All labelme files of `folder`, at any depth; other shapes than points and rectangles are
    left alone.

    Raises:
        ConfigError: with the file and the shape that cannot be read.
    """
    files = sorted(folder.rglob("*.json")) if folder.is_dir() else [folder]
    read = [(path, data) for path in files if "shapes" in (data := read_json(path))]
    if not read:
        raise ConfigError(f"no labelme files in {folder}: each is a .json with 'shapes'")
    people = [(path, data, _people(data, path)) for path, data in read]
    found = [name for _, _, group in people for someone in group for name in someone.points]
    names = ordered(found, skeleton)
    root = folder if folder.is_dir() else folder.parent
    builder = Builder(root)
    for path, data, group in people:
        name, size = _picture(path, data, root)
        picture = builder.picture(name, size)
        for someone in group:
            points = [someone.points.get(known, (0.0, 0.0, 0)) for known in names]
            # A set has one category with keypoints; boxes of others stay boxes.
            posed = bool(someone.points) or not found or someone.label == "person"
            category = builder.category(someone.label, names if posed else ())
            row = points if posed and names else ()
            builder.person(picture, category, someone.box, row, crowd=someone.crowd)
    return builder.document()


def _people(data: Row, path: Path) -> list[_Someone]:
    """The people of one file: by group, a rectangle without a group alone."""
    shapes = data["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise ConfigError(f"{path}: 'shapes' is no list of objects")
    grouped: dict[Any, _Someone] = {}
    loose: list[tuple[str, Point]] = []
    for i, shape in enumerate(shapes):
        kind, group = shape.get("shape_type"), shape.get("group_id")
        if kind not in ("rectangle", "point"):
            continue
        corners = _corners(shape, f"{path}: shape {i + 1} ({shape.get('label')!r})")
        label = str(shape.get("label", ""))
        if kind == "rectangle":
            someone = grouped.setdefault(("alone", i) if group is None else group, _Someone())
            someone.label, someone.box = label, _box(corners)
            someone.crowd = _flag(shape, "crowd")
            continue
        point = (*corners[0], 1 if _flag(shape, "occluded") else 2)
        if group is None:
            loose.append((label, point))
        else:
            _place(grouped.setdefault(group, _Someone()), label, point, path)
    for label, point in loose:
        _place(_owner(list(grouped.values()), point, path, label), label, point, path)
    for someone in grouped.values():
        someone.label = someone.label or "person"
    return list(grouped.values())


def _corners(shape: Row, what: str) -> list[tuple[float, float]]:
    """Its points in px: one, or the two opposite corners of a rectangle."""
    wanted = 1 if shape["shape_type"] == "point" else 2
    given = shape.get("points")
    found = [numbers(point, 2) for point in given] if isinstance(given, list) else []
    pairs = [(point[0], point[1]) for point in found if point is not None]
    if len(pairs) != len(found) or len(pairs) not in (wanted, 4 if wanted == 2 else 1):
        raise ConfigError(f"{what} has no {wanted} point(s) of two numbers")
    return pairs


def _box(corners: Sequence[tuple[float, float]]) -> list[float]:
    """xywh of opposite corners, or of all four."""
    (left, top), (right, bottom) = (
        (fold(x for x, _ in corners), fold(y for _, y in corners)) for fold in (min, max)
    )
    return [left, top, right - left, bottom - top]


def _place(someone: _Someone, label: str, point: Point, path: Path) -> None:
    if label in someone.points:
        raise ConfigError(f"{path}: one person has two points {label!r}: set group_id")
    someone.points[label] = point


def _owner(people: Sequence[_Someone], point: Point, path: Path, label: str) -> _Someone:
    """Whose a point without a group is: the only person's, or whose box alone holds it."""
    x, y, _ = point
    around = [
        someone
        for someone in people
        if (box := someone.box) is not None
        and box[0] <= x <= box[0] + box[2]
        and box[1] <= y <= box[1] + box[3]
    ]
    chosen = people if len(people) == 1 else around
    if len(chosen) != 1:
        raise ConfigError(
            f"{path}: point {label!r} at {x:g}, {y:g} has no group_id and lies in "
            f"{len(around)} boxes: set group_id"
        )
    return chosen[0]


def _flag(shape: Row, name: str) -> bool:
    flags = shape.get("flags")
    return bool(flags.get(name)) if isinstance(flags, dict) else False


def _picture(path: Path, data: Row, root: Path) -> tuple[str, tuple[int, int]]:
    """Name inside `root`, and size: the file's, else the picture's own."""
    said = str(data.get("imagePath") or path.with_suffix(".jpg").name).replace("\\", "/")
    place = path.parent / said
    try:
        name = place.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise ConfigError(f"{path}: imagePath {said} is outside {root}") from error
    size = numbers([data.get("imageWidth"), data.get("imageHeight")])
    if size is None:
        return name, image_size(place)
    return name, (int(size[0]), int(size[1]))


def write_labelme(
    document: CocoFile, folder: Path, copy: Callable[[Row, Path], None], *, force: bool
) -> list[str]:
    """Write a file a picture to `folder`, beside its picture, which `copy` puts there."""
    people = by_image(document)
    labels = {row["id"]: str(row.get("name", row["id"])) for row in document.categories}
    names = document.keypoint_names
    for record in document.images:
        name = relative_name(record)
        shapes: list[Row] = []
        for group, row in enumerate(people.get(record["id"], []), start=1):
            shapes += _shapes(row, labels[row["category_id"]], names, group)
        copy(record, folder / name)
        data: Row = {"version": VERSION, "flags": {}, "shapes": shapes, "imagePath": name.name}
        data |= {"imageData": None}
        data |= {"imageHeight": record["height"], "imageWidth": record["width"]}
        text = json.dumps(data, ensure_ascii=False, indent=1)
        write_bytes(folder / name.with_suffix(".json"), text.encode(), force=force)
    return []


def _shapes(row: Row, label: str, names: Sequence[str], group: int) -> list[Row]:
    x, y, w, h = (float(value) for value in row["bbox"])
    crowd = {"crowd": True} if row.get("iscrowd") else {}
    corners = [[x, y], [x + w, y + h]]
    shapes = [_shape(label, corners, group, "rectangle", crowd)]
    for name, (px, py, v) in zip(names, points_of(row), strict=False):
        if v:
            flags = {"occluded": True} if v == 1 else {}
            shapes.append(_shape(name, [[px, py]], group, "point", flags))
    return shapes


def _shape(label: str, points: list[list[float]], group: int, kind: str, flags: Row) -> Row:
    return {
        "label": label,
        "points": points,
        "group_id": group,
        "description": "",
        "shape_type": kind,
        "flags": flags,
        "mask": None,
    }
