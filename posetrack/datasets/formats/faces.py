"""Faces of WFLW (98 points) and LaPa (106 points) as their makers write them; only read.

WFLW (Wu et al., CVPR 2018): a line a face of 196 coordinates, the box (x1, y1, x2, y2), six
attributes and the picture's name. LaPa (Liu et al., AAAI 2020): ``landmarks/NAME.txt`` beside
``images/NAME.jpg``, the number of points and then a point a line.
"""

from __future__ import annotations

from pathlib import Path

from posetrack.datasets.coco import CocoFile
from posetrack.datasets.formats.build import Builder
from posetrack.datasets.formats.files import image_size, read_text
from posetrack.errors import ConfigError
from posetrack.skeletons import load_skeleton

WFLW_ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_BOX, _ATTRIBUTES, _COLUMNS = 196, 200, 207


def read_wflw(path: Path, skeleton: str | None = None, images: Path | None = None) -> CocoFile:
    """The faces of a ``list_98pt_rect_attr_*.txt``; `images` is ``WFLW_images`` if not given.

    An annotation's ``attributes`` name what the set marks as difficult in it.

    Raises:
        ConfigError: with the line that cannot be read, or the picture that is missing.
    """
    names = _names("wflw", skeleton)
    builder, pictures = Builder(path), {}
    category = builder.category("face", names)
    folder = images or _nearest(path.parent, "WFLW_images")
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not (words := line.split()):
            continue
        try:
            if len(words) != _COLUMNS:
                raise ValueError(f"{len(words)} words, {_COLUMNS} expected")
            values = [float(word) for word in words[:_ATTRIBUTES]]
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: {error}") from error
        name = words[-1]
        if name not in pictures:
            pictures[name] = builder.picture(name, image_size(folder / name))
        left, top, right, bottom = values[_BOX:]
        points = [(x, y, 2) for x, y in zip(values[:_BOX:2], values[1:_BOX:2], strict=True)]
        box = [left, top, right - left, bottom - top]
        builder.person(pictures[name], category, box, points)
        marks = zip(WFLW_ATTRIBUTES, words[_ATTRIBUTES:-1], strict=True)
        builder.annotations[-1]["attributes"] = [what for what, mark in marks if mark == "1"]
    return builder.document()


def read_lapa(path: Path, skeleton: str | None = None, images: Path | None = None) -> CocoFile:
    """The faces of a part of LaPa: a folder with ``landmarks`` and ``images``.

    Raises:
        ConfigError: with the file that cannot be read, or the picture that is missing.
    """
    names = _names("lapa", skeleton)
    builder = Builder(path)
    category = builder.category("face", names)
    files = sorted((path / "landmarks").glob("*.txt"))
    if not files:
        raise ConfigError(f"{path} has no landmarks/*.txt: name LaPa's train, val or test folder")
    for file in files:
        lines = read_text(file).split("\n")
        try:
            places = [tuple(map(float, line.split())) for line in lines[1:] if line.strip()]
            if len(places) != len(names) or any(len(place) != 2 for place in places):
                raise ValueError(f"{len(places)} points, {len(names)} of x and y expected")
        except ValueError as error:
            raise ConfigError(f"{file}: {error}") from error
        points = [(place[0], place[1], 2) for place in places]
        name = f"{file.stem}.jpg"
        size = image_size((images or path / "images") / name)
        builder.person(builder.picture(name, size), category, None, points)
    return builder.document()


def _names(own: str, asked: str | None) -> tuple[str, ...]:
    if asked not in (None, own):
        raise ConfigError(f"this set has the keypoints of {own}, {asked} was asked")
    return load_skeleton(own).keypoints


def _nearest(start: Path, name: str) -> Path:
    """The folder `name` in `start` or in one of the two above it."""
    places = [start, *list(start.parents)[:2]]
    return next((place / name for place in places if (place / name).is_dir()), start / name)
