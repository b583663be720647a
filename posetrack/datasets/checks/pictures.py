"""The picture files behind the image records."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.checks.report import Report
from posetrack.datasets.coco import CocoFile, Row
from posetrack.datasets.stores import Stores

_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def check_pictures(
    document: CocoFile,
    pictures: Stores,
    report: Report,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Decode every picture and compare it with its record; `progress` hears how many are done."""
    if not pictures.known:
        report.add("unchecked-pictures", f"none found beside {document.path}")
        return
    for done, record in enumerate(document.images, start=1):
        if record.get("file_name"):
            _check_picture(record, pictures, report)
        progress(done)


def _check_picture(record: Row, pictures: Stores, report: Report) -> None:
    name = str(record["file_name"])
    store = pictures.store(record)
    if store is None or name not in store:
        place = record.get("tar", "its tar") if store is None else store.path
        report.add("missing-picture", f"not in {place}", picture=name)
        return
    data = store.read_bytes(name)
    size = decoded_size(data)
    if is_cut(data):
        report.add("cut-picture", f"its end is missing after {len(data)} bytes", picture=name)
    elif size is None:
        report.add("unreadable-picture", f"{len(data)} bytes, no picture", picture=name)
    if size is None:
        return
    said = numbers([record.get("width"), record.get("height")])
    if said is None or size == tuple(said):
        return
    sizes = f"record {said[0]:g} x {said[1]:g}, picture {size[0]} x {size[1]}"
    turned = decoded_size(data, _STORED) == tuple(said)
    report.add("rotated-picture" if turned else "wrong-size", sizes, picture=name)


def decoded_size(data: bytes, flags: int = cv2.IMREAD_COLOR) -> tuple[int, int] | None:
    """(width, height) as trainings see it, EXIF rotation applied; None where it is no picture."""
    if not data:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return None if image is None else (image.shape[1], image.shape[0])


def is_cut(data: bytes) -> bool:
    """A JPEG without its end mark: some OpenCV refuse it, others fill the rest with grey and say
    nothing. The end mark of a thumbnail stands in the first half.
    """
    return data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[len(data) // 2 :]
