"""Where the pictures of a COCO file are: said, or found beside it."""

from __future__ import annotations

from pathlib import Path

from posetrack.datasets.coco import CocoFile, Row
from posetrack.datasets.images import ImageStore
from posetrack.errors import ConfigError


class Pictures:
    """The store of each image record of a file.

    Without `images`: the tar that a record's ``tar`` field names (from the file's folder or the one
    above), else ``NAME.tar`` or the folder ``NAME`` or ``images`` beside ``NAME.json``, else the
    file's own folder.

    Raises:
        ConfigError: `images` is neither a folder nor an uncompressed tar.
    """

    def __init__(self, document: CocoFile, images: Path | None = None) -> None:
        self._document = document
        self._stores: dict[Path, ImageStore] = {}
        self._single = None if images is None else self._open(images)
        if images is None and not any("tar" in record for record in document.images):
            self._single = self._beside()

    @property
    def known(self) -> bool:
        """False where nothing says where the pictures are and none was found."""
        if self._single is not None:
            return True
        return any(self.store(record) for record in self._document.images)

    def store(self, record: Row) -> ImageStore | None:
        """Where the picture of `record` should be; None where nothing says it."""
        if self._single is not None or "tar" not in record:
            return self._single
        folder = self._document.path.parent
        for place in (folder / str(record["tar"]), folder.parent / str(record["tar"])):
            if place.exists():
                return self._open(place)
        return None

    def _open(self, place: Path) -> ImageStore:
        if place not in self._stores:
            self._stores[place] = ImageStore(place)
        return self._stores[place]

    def _beside(self) -> ImageStore | None:
        path = self._document.path
        names = [str(record.get("file_name", "")) for record in self._document.images]
        for place in (path.with_suffix(".tar"), path.with_suffix(""), path.parent / "images"):
            if place.exists():
                return self._open(place)
        store = self._open(path.parent)
        return store if any(name in store for name in names if name) else None


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
