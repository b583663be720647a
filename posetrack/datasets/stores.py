"""Where the pictures of an annotation file are: said, or found beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posetrack.datasets.coco import Row
from posetrack.datasets.images import ImageStore

_LOOKED_AT = 20
"""So many records tell whether a folder holds the pictures."""


class Stores:
    """The store of each image record of a file, opened once.

    Without `images`: the tar that a record's ``tar`` field names (below `root`, the file's folder
    or the one above), else ``NAME.tar``, the folder ``NAME`` or ``images`` beside ``NAME.json``, or
    the file's own folder: the first that holds one of the pictures.

    Args:
        path: the annotation file.
        records: its image records.
        images: the folder or uncompressed tar of all pictures.
        root: where tars that records name are looked for first.

    Raises:
        ConfigError: `images` is neither a folder nor an uncompressed tar.
    """

    def __init__(
        self,
        path: Path,
        records: Sequence[Row],
        images: Path | None = None,
        *,
        root: Path | None = None,
    ) -> None:
        self._path, self._records = path, records
        self._roots = [*([root] if root else []), path.parent, path.resolve().parent.parent]
        self._opened: dict[Path, ImageStore] = {}
        self._single = None if images is None else self._open(images)
        if images is None and not any("tar" in record for record in records):
            self._single = self._beside()

    @property
    def known(self) -> bool:
        """False where nothing says where the pictures are and none was found."""
        return self._single is not None or any(self.store(record) for record in self._records)

    def store(self, record: Row) -> ImageStore | None:
        """Where the picture of `record` should be; None where nothing says it."""
        if self._single is not None or "tar" not in record:
            return self._single
        places = [root / str(record["tar"]) for root in self._roots]
        return next((self._open(place) for place in places if place.exists()), None)

    def _open(self, place: Path) -> ImageStore:
        if place not in self._opened:
            self._opened[place] = ImageStore(place)
        return self._opened[place]

    def _beside(self) -> ImageStore | None:
        path = self._path
        named = (path.with_suffix(".tar"), path.with_suffix(""), path.parent / "images")
        places = [place for place in named if place.exists()]
        names = [str(record.get("file_name") or "") for record in self._records[:_LOOKED_AT]]
        for place in (*places, path.parent):
            store = self._open(place)
            if any(name in store for name in names if name):
                return store
        return self._open(places[0]) if places else None
