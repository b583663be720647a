"""From one annotation format to another, by way of COCO's."""

from __future__ import annotations

from pathlib import Path

from posetrack.datasets.checks.check import first_meaningless
from posetrack.datasets.coco import CocoFile, Row, write_bytes, write_json
from posetrack.datasets.formats.cvat import read_cvat
from posetrack.datasets.formats.faces import read_lapa, read_wflw
from posetrack.datasets.formats.h3wb import read_h3wb
from posetrack.datasets.formats.labelme import read_labelme, write_labelme
from posetrack.datasets.formats.mpii import read_mpii
from posetrack.datasets.formats.yolo import read_yolo, write_yolo
from posetrack.datasets.stores import Stores
from posetrack.errors import ConfigError, SinkError

READERS = {"yolo": read_yolo, "labelme": read_labelme, "cvat": read_cvat, "h3wb": read_h3wb}
WITH_PICTURES = {"mpii": read_mpii, "wflw": read_wflw, "lapa": read_lapa}
"""Formats that do not say how large their pictures are: they are looked at."""
WRITERS = {"yolo": write_yolo, "labelme": write_labelme}
FORMATS = ("coco", *READERS, *WITH_PICTURES)


def detect(path: Path) -> str:
    """The format of what is at `path`.

    Raises:
        ConfigError: nothing is there, or it cannot be told.
    """
    if not path.exists():
        raise ConfigError(f"no data set at {path}: check the path")
    if path.is_file():
        known = {".json": "coco", ".xml": "cvat", ".yaml": "yolo", ".yml": "yolo"}
        found = known.get(path.suffix.lower())
        if found == "coco":
            start = path.read_bytes()[:100_000]
            hints = {b'"shapes"': "labelme", b'"keypoints_2d"': "h3wb", b'"joints_vis"': "mpii"}
            found = next((kind for word, kind in hints.items() if word in start), found)
    elif (path / "data.yaml").is_file():
        found = "yolo"
    elif (path / "annotations.xml").is_file():
        found = "cvat"
    elif (path / "landmarks").is_dir():
        found = "lapa"
    else:
        found = "labelme" if next(path.rglob("*.json"), None) else None
    if found is None:
        raise ConfigError(f"cannot tell the format of {path}: say it, --from {'|'.join(FORMATS)}")
    return found


def read(
    path: Path, kind: str, skeleton: str | None = None, images: Path | None = None
) -> CocoFile:
    """The set at `path`, read as the format `kind`.

    Args:
        skeleton: names of the keypoints where the format has none.
        images: the folder of the pictures, of formats that must look at them.

    Raises:
        ConfigError: the format is not known, or a file cannot be read: which, and why.
    """
    if kind == "coco":
        return CocoFile.read(path)
    if kind not in FORMATS:
        raise ConfigError(f"no format {kind!r} to read: choose of {', '.join(FORMATS)}")
    if not path.exists():
        raise ConfigError(f"no data set at {path}: check the path")
    if kind in WITH_PICTURES:
        return WITH_PICTURES[kind](path, skeleton, images)
    return READERS[kind](path, skeleton)


def write(
    document: CocoFile, output: Path, kind: str, *, pictures: Stores | None, force: bool
) -> list[str]:
    """Write `document` as the format `kind`.

    Args:
        output: a file for ``coco``, else a folder, which must be new or empty.
        pictures: where the pictures are copied from; None copies none.

    Returns:
        What the format cannot hold, one line each.

    Raises:
        ConfigError: the format is not known, or an annotation cannot be written.
        SinkError: something is there already and `force` is not set.
    """
    if kind == "coco":
        write_json(output, document.to_dict(), force=force)
        return []
    if kind not in WRITERS:
        raise ConfigError(f"no format {kind!r} to write: choose of coco, {', '.join(WRITERS)}")
    if output.is_file():
        raise SinkError(f"output {output} is a file: name a folder")
    if output.is_dir() and any(output.iterdir()) and not force:
        raise SinkError(f"{output} is not empty: name another folder or add --force")
    refuse_unusable(document)

    def copy(record: Row, place: Path) -> None:
        store = None if pictures is None else pictures.store(record)
        if store is None:
            return
        data = store.read_bytes(str(record["file_name"]))
        if not data:
            raise ConfigError(f"image {record['file_name']} is not in {store.path}")
        write_bytes(place, data, force=force)

    return WRITERS[kind](document, output, copy, force=force)


def refuse_unusable(document: CocoFile) -> None:
    """Refuse annotations that no other format can express.

    Raises:
        ConfigError: the first of them, and why.
    """
    problem = first_meaningless(document)
    if problem is not None:
        raise ConfigError(
            f"{document.path}: {problem}: see `posetrack dataset check {document.path.name}`"
        )
    stems: dict[str, str] = {}
    for record in document.images:
        name = str(record["file_name"])
        other = stems.setdefault(name.rpartition(".")[0] or name, name)
        if other != name:
            raise ConfigError(f"{document.path}: {other} and {name} would share one label file")
