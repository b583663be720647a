"""CVAT for images 1.1: one XML with skeletons, points and boxes; only read.

An ``outside`` point is not labelled (v = 0), an ``occluded`` one is hidden (v = 1). A skeleton and
a box with the same ``group_id`` are one person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from posetrack.datasets.coco import CocoFile
from posetrack.datasets.formats.build import Builder, Point, ordered
from posetrack.datasets.formats.files import read_text
from posetrack.errors import ConfigError


def read_cvat(path: Path, skeleton: str | None = None) -> CocoFile:
    """The annotations of `path`, an .xml or a folder with ``annotations.xml``.

    Raises:
        ConfigError: with the file and the picture that cannot be read.
    """
    path = path / "annotations.xml" if path.is_dir() else path
    root = _parse(path)
    images = list(root.iter("image"))
    if root.tag != "annotations" or not images:
        raise ConfigError(f"{path} is not 'CVAT for images 1.1': export the task in that format")
    found = [str(p.get("label")) for s in root.iter("skeleton") for p in s.iter("points")]
    names = ordered([*_sublabels(root), *found], skeleton)
    builder = Builder(path)
    for label in dict.fromkeys(str(s.get("label")) for s in root.iter("skeleton")):
        builder.category(label, names)
    for image in images:
        where = f"{path}: image {image.get('name')!r}"
        size = (int(_number(image, "width", where)), int(_number(image, "height", where)))
        picture = builder.picture(str(image.get("name")), size)
        for label, box, points in _people(image, names, where):
            builder.person(picture, builder.category(label), box, points)
    return builder.document()


def _parse(path: Path) -> Element:
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # CVAT writes none, and entities can explode
        raise ConfigError(f"{path} declares a document type, which CVAT files do not have")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ConfigError(f"{path} is not XML: {error}") from error


def _sublabels(root: Element) -> list[str]:
    """Keypoint names in the order in which the project defines them."""
    parts = (label for label in root.iter("label") if label.findtext("parent"))
    return [str(label.findtext("name")) for label in parts]


def _people(
    image: Element, names: Sequence[str], where: str
) -> Iterator[tuple[str, list[float] | None, list[Point]]]:
    """Label, xywh and keypoints of each skeleton, then of each box that no skeleton has taken."""
    boxes = [(box, _box(box, where)) for box in image.findall("box")]
    for skeleton in image.findall("skeleton"):
        group = skeleton.get("group_id")
        mine = [pair for pair in boxes if group and pair[0].get("group_id") == group]
        for pair in mine[:1]:
            boxes.remove(pair)
        found = {str(p.get("label")): _point(p, where) for p in skeleton.findall("points")}
        points = [found.get(name, (0.0, 0.0, 0)) for name in names]
        if mine or any(v for _, _, v in points):
            yield str(skeleton.get("label")), mine[0][1] if mine else None, points
    for box, corners in boxes:
        yield str(box.get("label")), corners, []


def _point(element: Element, where: str) -> Point:
    if element.get("outside") == "1":
        return (0.0, 0.0, 0)
    try:
        x, y = (float(word) for word in str(element.get("points")).split(","))
    except ValueError as error:
        raise ConfigError(f"{where}: point {element.get('label')!r} is no 'x,y'") from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ConfigError(f"{where}: point {element.get('label')!r} is not finite")
    return (x, y, 1 if element.get("occluded") == "1" else 2)


def _box(element: Element, where: str) -> list[float]:
    left, top, right, bottom = (_number(element, k, where) for k in ("xtl", "ytl", "xbr", "ybr"))
    return [left, top, right - left, bottom - top]


def _number(element: Element, name: str, where: str) -> float:
    try:
        value = float(str(element.get(name)))
    except ValueError as error:
        raise ConfigError(f"{where}: {element.tag} has no number {name!r}") from error
    if not math.isfinite(value):
        raise ConfigError(f"{where}: {name} of {element.tag} is not finite")
    return value
