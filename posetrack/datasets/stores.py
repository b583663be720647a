"""Where the pictures of an annotation file are."""

from __future__ import annotations

from pathlib import Path

from posetrack.datasets.annotations import Annotations
from posetrack.datasets.images import ImageStore
from posetrack.errors import ConfigError


class Stores(dict[str, ImageStore]):
    """Image stores below `root`, opened when a record's ``tar`` field first names them."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __missing__(self, key: str) -> ImageStore:
        self[key] = ImageStore(self._root / key)
        return self[key]


def open_annotations(path: Path, images: Path | None = None) -> Annotations:
    """Annotations with their pictures.

    Without `images` these are looked for in the tars that the records name (from the file's
    folder or the one above), in a tar or a folder beside the file that has its name or is called
    ``images``, and in the file's folder itself.

    Raises:
        ConfigError: no such file, not COCO's format, or no pictures where they were looked for.
    """
    if images is not None:
        return Annotations.read(path, images)
    found = Annotations.read(path, path.parent if path.is_file() else Path())
    if not found.pictures:
        return found
    named = next(iter(found.pictures.values())).fields.get("tar")
    for root in (path.parent, path.resolve().parent.parent):
        if named and (root / named).is_file():
            return Annotations.read(path, Stores(root))
    if _holds_first(found):
        return found
    for place in (path.with_suffix(".tar"), path.with_suffix(""), path.parent / "images"):
        if place.exists() and _holds_first(found := Annotations.read(path, place)):
            return found
    raise ConfigError(f"the pictures of {path} are not beside it: give --images FOLDER or TAR")


def _holds_first(annotations: Annotations) -> bool:
    picture = next(iter(annotations.pictures.values()), None)
    return picture is not None and picture.name in picture.store
