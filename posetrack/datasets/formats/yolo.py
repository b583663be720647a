"""YOLO-pose: a folder with data.yaml, images/ and labels/, one text file a picture.

A line is ``class cx cy w h`` and ``x y`` or ``x y v`` for each keypoint, as shares of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posetrack.datasets.coco import CocoFile, Row, relative_name, write_bytes
from posetrack.datasets.formats.build import Builder, Point, flip_order, points_of
from posetrack.datasets.formats.files import by_image, image_size, read_text, read_yaml
from posetrack.errors import ConfigError
from posetrack.media.source import IMAGE_SUFFIXES
from posetrack.skeletons import load_skeleton

PARTS = ("train", "val", "test")
_DIGITS = 8  # a thousandth of a pixel in any picture


@dataclass(frozen=True, slots=True)
class Layout:
    """What data.yaml says: class names, values a keypoint (2 or 3), keypoint names."""

    path: Path
    root: Path
    classes: dict[int, str]
    values: int
    keypoints: tuple[str, ...]
    parts: dict[str, list[Path]]


def read_yolo(path: Path, skeleton: str | None = None) -> CocoFile:
    """A YOLO-pose or YOLO set; `path` is its folder or its data.yaml.

    Pictures are named relative to the folder, each with its part as ``split``. Sizes are those of
    the pictures, which must be there.

    Raises:
        ConfigError: with file and line of what cannot be read.
    """
    layout = _layout(path / "data.yaml" if path.is_dir() else path, skeleton)
    builder = Builder(layout.root)
    categories = {
        number: builder.category(name, layout.keypoints) for number, name in layout.classes.items()
    }
    known: set[str] = set()
    for part, places in layout.parts.items():
        for picture in (found for place in places for found in _pictures(layout, place)):
            name = _inside(picture, layout)
            if name in known:  # sets without a val part name their train part twice
                continue
            known.add(name)
            size = image_size(picture)
            number = builder.picture(name, size, split=part)
            for label, box, points in _people(_label_file(picture), size, layout):
                builder.person(number, categories[label], box, points)
    if not builder.images:
        raise ConfigError(f"{layout.path} names no pictures: check path, train and val")
    return builder.document()


def _layout(path: Path, skeleton: str | None) -> Layout:
    data = read_yaml(path)
    names = data.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise ConfigError(f"{path} has no class names: add 'names'")
    root = Path(str(data.get("path", ".")))
    # An absolute or repository path is that of another machine, unless it is here.
    root = root if root.is_absolute() and root.is_dir() else path.parent / root
    root = root if root.is_dir() else path.parent
    parts = {}
    for part in PARTS:
        said = data.get(part)
        listed = said if isinstance(said, list) else [said] if said else []
        parts[part] = [root / str(place) for place in listed]
    count, values = _shape(data, path)
    keypoints = _keypoint_names(data, count, skeleton, path)
    try:
        classes = {int(number): str(name) for number, name in names.items()}
    except ValueError as error:
        raise ConfigError(f"{path}: 'names' must be numbered: {error}") from error
    return Layout(path, root, classes, values, keypoints, parts)


def _shape(data: Row, path: Path) -> tuple[int, int]:
    """How many keypoints and how many values each; (0, 0) for a set of boxes."""
    shape = data.get("kpt_shape")
    if shape is None:
        return 0, 0
    good = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape)
    if not good or shape[0] < 1 or shape[1] not in (2, 3):
        raise ConfigError(f"{path}: kpt_shape {shape} must be [keypoints, 2 or 3]")
    return shape[0], shape[1]


def _keypoint_names(data: Row, count: int, skeleton: str | None, path: Path) -> tuple[str, ...]:
    """Those of `skeleton`, else of ``kpt_names``, else COCO's if number and flips are its."""
    if not count:
        return ()
    said: Any = data.get("kpt_names")
    if isinstance(said, dict):  # one list a class; a pose model has one set for all
        said = next(iter(said.values()), None)
    coco = load_skeleton("coco")
    if skeleton is not None:
        names = load_skeleton(skeleton).keypoints
    elif isinstance(said, list):
        names = tuple(map(str, said))
    elif count == len(coco) and data.get("flip_idx") in (None, coco.flip_order.tolist()):
        names = coco.keypoints
    else:
        names = tuple(f"kpt-{i}" for i in range(count))
    if len(names) != count:
        raise ConfigError(f"{path}: kpt_shape says {count} keypoints, but {len(names)} are named")
    return names


def _pictures(layout: Layout, place: Path) -> Iterator[Path]:
    """The pictures of a folder, or of a text file that lists them."""
    if place.is_dir():
        found = sorted(place.rglob("*"))
        yield from (p for p in found if p.suffix.lower() in IMAGE_SUFFIXES)
    elif place.suffix == ".txt" and place.is_file():
        for line in read_text(place).splitlines():
            if line.strip():
                yield layout.root / line.strip()
    else:
        raise ConfigError(f"{layout.path} names {place}, which is not there: check 'path'")


def _inside(picture: Path, layout: Layout) -> str:
    try:
        return picture.resolve().relative_to(layout.root.resolve()).as_posix()
    except ValueError as error:
        raise ConfigError(f"{layout.path}: {picture} is outside {layout.root}") from error


def _label_file(picture: Path) -> Path:
    """The last folder ``images`` of the path, replaced by ``labels``."""
    parts = list(picture.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _people(
    path: Path, size: tuple[int, int], layout: Layout
) -> Iterator[tuple[int, list[float], list[Point]]]:
    """Class, xywh px and keypoints of each line; none where the file is absent (nobody there)."""
    width, height = size
    wanted = 5 + layout.values * len(layout.keypoints)
    for line, text in enumerate(read_text(path).splitlines() if path.exists() else (), start=1):
        words = text.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError as error:
            raise ConfigError(f"{path}:{line}: {error}") from error
        if len(values) != wanted or not all(map(math.isfinite, values)):
            raise ConfigError(f"{path}:{line}: {len(values)} values, {wanted} finite ones expected")
        if values[0] not in layout.classes:
            raise ConfigError(f"{path}:{line}: class {words[0]} is not in {layout.path.name}")
        x, y, w, h = values[1:5]
        box = [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]
        yield int(values[0]), _rounded(box), _points(values[5:], size, layout.values)


def _points(flat: Sequence[float], size: tuple[int, int], values: int) -> list[Point]:
    points: list[Point] = []
    for i in range(0, len(flat), values or 1):
        x, y = _rounded([flat[i] * size[0], flat[i + 1] * size[1]])
        v = int(flat[i + 2]) if values == 3 else 2 * bool(x or y)
        points.append((x, y, v) if v else (0.0, 0.0, 0))
    return points


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 3) for value in values]


def write_yolo(
    document: CocoFile, folder: Path, copy: Callable[[Row, Path], None], *, force: bool
) -> list[str]:
    """Write `document` to `folder`; data.yaml last, so that a set with one is whole.

    A picture goes to the part that its record's ``split`` names, else to ``train``. `copy` puts a
    record's picture at a path.

    Returns:
        What YOLO cannot hold and was left out, one line each.
    """
    people = by_image(document)
    order = {category["id"]: i for i, category in enumerate(document.categories)}
    count = len(document.keypoint_names)
    parts, crowds = set(), 0
    for record in document.images:
        part = record.get("split") if record.get("split") in PARTS else "train"
        name = relative_name(record)
        if name.parts[:2] == ("images", str(part)):  # what reading such a folder has named
            name = Path(*name.parts[2:])
        rows = people.get(record["id"], [])
        kept = [row for row in rows if not row.get("iscrowd")]
        crowds += len(rows) - len(kept)
        size = (record["width"], record["height"])
        lines = [_line(row, order[row["category_id"]], size, count) for row in kept]
        text = "".join(f"{line}\n" for line in lines).encode()
        copy(record, folder / "images" / str(part) / name)
        write_bytes(folder / "labels" / str(part) / name.with_suffix(".txt"), text, force=force)
        parts.add(str(part))
    write_bytes(folder / "data.yaml", _data_yaml(document, parts).encode(), force=force)
    return [f"{crowds} crowd regions left out: YOLO has none"] if crowds else []


def _line(row: Row, label: int, size: tuple[int, int], count: int) -> str:
    width, height = size
    x, y, w, h = row["bbox"]
    values = [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]
    words = [str(label), *(f"{value:.{_DIGITS}g}" for value in values)]
    for px, py, v in points_of(row) or [(0.0, 0.0, 0)] * count:
        words += [f"{px / width:.{_DIGITS}g}", f"{py / height:.{_DIGITS}g}", str(v)]
    return " ".join(words)


def _data_yaml(document: CocoFile, parts: set[str]) -> str:
    import yaml

    names = {i: str(c.get("name", i)) for i, c in enumerate(document.categories)}
    # Without 'path' both tools take the folder of data.yaml; a relative one is theirs to guess.
    data: Row = {part: f"images/{part}" for part in PARTS if part in parts}
    data.setdefault("val", data.get("train", "images/train"))  # its trainer asks for one
    data["names"] = names
    keypoints = document.keypoint_names
    if keypoints:
        data["kpt_shape"] = [len(keypoints), 3]
        data["flip_idx"] = flip_order(keypoints)
        data["kpt_names"] = {i: list(keypoints) for i in names}
    return str(yaml.safe_dump(data, sort_keys=False, default_flow_style=None, allow_unicode=True))
