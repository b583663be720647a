"""A contact sheet: crops of annotated people, those with findings first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from posetrack.datasets.checks.labels import Labels
from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.checks.records import key
from posetrack.datasets.checks.report import Report
from posetrack.datasets.coco import CocoFile, Row, write_bytes
from posetrack.datasets.stores import Stores
from posetrack.errors import ConfigError, SinkError
from posetrack.geometry import CropTransform, xywh_to_xyxy
from posetrack.media.drawing import draw
from posetrack.media.palette import INK, PAPER
from posetrack.media.styles import Style
from posetrack.skeletons import Skeleton
from posetrack.types import Image, Poses, Tracks

CELL = (240, 300)
CAPTION_PX = 46
COLUMNS = 8
PADDING = 1.35
FIRST = ("suspect-face", "viewer-sides", "suspect-pairs", "keypoint-far", "keypoint-outside")
"""Kinds shown before the others: those that only an eye can judge."""


class Cell(NamedTuple):
    """One crop: index of the annotation and the lines below it."""

    row: int
    caption: tuple[str, ...]


def choose(report: Report, document: CocoFile, count: int) -> list[Cell]:
    """At most `count` cells: each kind with people in turn, then a sample of the others."""
    groups = {kind: [f for f in found if f.row is not None] for kind, found in report.groups()}
    order = [*FIRST, *(kind for kind in groups if kind not in FIRST)]
    queues = [list(groups[kind]) for kind in order if groups.get(kind)]
    cells: dict[int, Cell] = {}
    while any(queues) and len(cells) < count:
        for queue in queues:
            finding = queue.pop(0) if queue else None
            if finding is not None and finding.row is not None and len(cells) < count:
                lines = (finding.kind, finding.detail)
                cells.setdefault(finding.row, Cell(finding.row, lines))
    suspected = sorted(cells.values(), key=lambda cell: _rank(cell, order))
    rest = [i for i in range(len(document.annotations)) if i not in cells]
    step = max(1, len(rest) // max(1, count - len(cells)))
    return [*suspected, *(Cell(i, ("no finding",)) for i in rest[::step])][:count]


def _rank(cell: Cell, order: Sequence[str]) -> int:
    return order.index(cell.caption[0])


def write_sheet(
    path: Path,
    cells: Sequence[Cell],
    document: CocoFile,
    pictures: Stores,
    skeleton: Skeleton | None,
) -> None:
    """Draw `cells` into the picture file `path`.

    Raises:
        SinkError: it cannot be written, or its suffix is no picture's.
    """
    labels = None if skeleton is None else Labels.of(document, skeleton)
    records = {key(record.get("id")): record for record in document.images}
    tiles = []
    for cell in cells:
        row = document.annotations[cell.row]
        record = records.get(key(row.get("image_id")), {})
        crop = _crop(_load(record, pictures), row, cell.row, skeleton, labels)
        name = Path(str(record.get("file_name", "?"))).name
        tiles.append(_captioned(crop, (f"#{row.get('id')} {name}", *cell.caption)))
    width, height = CELL[0], CELL[1] + CAPTION_PX
    columns = min(COLUMNS, max(1, len(tiles)))
    rows = max(1, -(-len(tiles) // columns))
    sheet = np.full((rows * height, columns * width, 3), 60, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * height, i % columns * width
        sheet[y : y + height, x : x + width] = tile
    try:
        ok, data = cv2.imencode(path.suffix or ".", sheet)
    except cv2.error as error:
        raise SinkError(f"cannot write {path}: name it .png or .jpg") from error
    if not ok:
        raise SinkError(f"cannot write {path}: the sheet could not be encoded")
    write_bytes(path, data.tobytes(), force=True)


def _captioned(crop: Image, lines: Sequence[str]) -> Image:
    """(CELL height + CAPTION_PX, CELL width, 3) the crop with its caption below."""
    tile = np.full((CELL[1] + CAPTION_PX, CELL[0], 3), INK, np.uint8)
    tile[: CELL[1]] = crop
    for i, line in enumerate(lines):
        at = (4, CELL[1] + 12 + 15 * i)
        cv2.putText(tile, line[:40], at, cv2.FONT_HERSHEY_SIMPLEX, 0.37, PAPER, 1, cv2.LINE_AA)
    return tile


def _crop(
    image: Image | None, row: Row, place: int, skeleton: Skeleton | None, labels: Labels | None
) -> Image:
    """(CELL height, CELL width, 3) what is around the box, with box and keypoints drawn."""
    box = numbers(row.get("bbox"), 4)
    if image is None or box is None:
        return np.full((CELL[1], CELL[0], 3), INK, np.uint8)
    boxes = xywh_to_xyxy(box)
    crop = CropTransform.from_boxes(boxes, CELL, PADDING)
    picture = crop.crop(image, 0).copy()
    far = 4 * max(CELL)  # a broken box may lie further away than OpenCV can count
    corners = crop.forward(boxes.reshape(1, 2, 2))[0].clip(-far, far).round().astype(int).tolist()
    cv2.rectangle(picture, corners[0], corners[1], PAPER, 1, cv2.LINE_AA)
    if skeleton is None or labels is None or place not in labels.rows:
        return picture
    i = int(np.flatnonzero(labels.rows == place)[0])
    points = crop.forward(labels.points[[i]])
    scores = np.clip(labels.visibility[[i]], 0, 1)
    one = np.ones(1, np.float32)
    poses = Poses(points, scores, np.asarray(corners, np.float32).reshape(1, 4), one, skeleton)
    tracks = Tracks(poses, np.zeros(1, np.int64), one, np.ones(1, bool))
    draw(picture, tracks, Style(layers=frozenset({"limbs", "keypoints"}), thickness=0.8))
    return picture


def _load(record: Row, pictures: Stores) -> Image | None:
    store = pictures.store(record) if record else None
    try:
        return None if store is None else store.read(str(record.get("file_name")))
    except ConfigError:  # reported as a finding; the cell stays empty
        return None
