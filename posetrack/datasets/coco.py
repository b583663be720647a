"""COCO files as they are: nothing is dropped or repaired on the way in, and written whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from posetrack.errors import ConfigError, SinkError
from posetrack.media.part import PartFile

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CocoFile:
    """The three lists of a COCO file; `other` keeps the rest (info, licenses)."""

    path: Path
    images: list[Row]
    annotations: list[Row]
    categories: list[Row]
    other: Row = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> CocoFile:
        """Parse `path`.

        Raises:
            ConfigError: the file is absent, not JSON, or one of its lists is no list of objects.
        """
        if not path.is_file():
            raise ConfigError(f"no annotations at {path}: check the path")
        try:
            data = json.loads(path.read_bytes())
        except (ValueError, OSError) as error:
            raise ConfigError(f"{path} is not a COCO annotation file: {error}") from error
        if not isinstance(data, dict):
            raise ConfigError(f"{path} is not a COCO annotation file: it holds no object")
        lists = [_rows(path, data, key) for key in ("images", "annotations", "categories")]
        for category in lists[2]:
            if not isinstance(category.get("keypoints", []), list):
                raise ConfigError(f"{path}: 'keypoints' of a category is no list of names")
        other = {k: v for k, v in data.items() if k not in ("images", "annotations", "categories")}
        return cls(path, lists[0], lists[1], lists[2], other)

    @property
    def posed_category(self) -> Row | None:
        """The first category that names keypoints."""
        return next((c for c in self.categories if c.get("keypoints")), None)

    @property
    def keypoint_names(self) -> tuple[str, ...]:
        """Keypoint names of `posed_category`; empty for a set of boxes."""
        return tuple(map(str, (self.posed_category or {}).get("keypoints", ())))

    def with_images(self, chosen: Iterable[Row]) -> Row:
        """The file's object with only the `chosen` image records and what is annotated in them."""
        images = list(chosen)
        ids = {record["id"] for record in images}
        rows = [row for row in self.annotations if row.get("image_id") in ids]
        return self.other | {
            "images": images,
            "annotations": rows,
            "categories": self.categories,
        }

    def to_dict(self) -> Row:
        """The file's object."""
        return self.with_images(self.images)


def _rows(path: Path, data: Row, key: str) -> list[Row]:
    if key not in data:
        raise ConfigError(f"{path} is not a COCO annotation file: no '{key}'")
    rows = data[key]
    if not isinstance(rows, list):
        raise ConfigError(f"{path} is not a COCO annotation file: '{key}' is no list")
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ConfigError(f"{path} is not a COCO annotation file: {key}[{place}] is no object")
    return rows


def relative_name(record: Row) -> Path:
    """The ``file_name`` of `record` as a path that stays inside a folder.

    Raises:
        ConfigError: it is absent, absolute or leads out of the folder.
    """
    name = str(record.get("file_name", ""))
    path = Path(name.replace("\\", "/"))
    if not name or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ConfigError(f"image {name!r} has no usable file_name: name it inside one folder")
    return path


def refuse_existing(paths: Iterable[Path], *, source: Path, force: bool) -> None:
    """Refuse before the first of several files is written.

    Raises:
        SinkError: one of them is `source`, or exists and `force` is not set.
    """
    for path in paths:
        if path.exists() and path.samefile(source):
            raise SinkError(f"output {path} is the input itself: name another folder")
        if path.exists() and not force:
            raise SinkError(f"{path} exists: name another output or add --force")


def write_bytes(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write `path` whole or not at all.

    Raises:
        SinkError: it exists and `force` is not set, or cannot be written.
    """
    if path.exists() and not force:
        raise SinkError(f"{path} exists: name another output or add --force")
    part = PartFile(path)
    try:
        part.write(data)
    except OSError as error:
        part.discard()
        raise part.failure(error) from error
    part.commit()


def write_json(path: Path, data: Row, *, force: bool = False, indent: int | None = None) -> None:
    """`write_bytes` of `data` as JSON."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    write_bytes(path, (text + "\n").encode(), force=force)
