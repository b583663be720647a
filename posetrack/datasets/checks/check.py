"""All checks of one COCO file, in one report."""

from __future__ import annotations

from collections.abc import Callable

from posetrack.datasets.checks.labels import check_sides
from posetrack.datasets.checks.people import check_people
from posetrack.datasets.checks.pictures import check_pictures
from posetrack.datasets.checks.records import check_records
from posetrack.datasets.checks.report import Report
from posetrack.datasets.checks.skeleton import check_skeleton
from posetrack.datasets.coco import CocoFile
from posetrack.datasets.stores import Stores
from posetrack.skeletons import Skeleton


def check(
    document: CocoFile,
    pictures: Stores,
    skeleton: Skeleton | None,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """What is wrong with a set.

    Args:
        skeleton: what a training would use; None for a set of boxes.
        progress: hears how many pictures were looked at.
    """
    report = Report(len(document.images), len(document.annotations))
    check_records(document, report)
    check_people(document, report)
    if skeleton is not None:
        check_skeleton(document, skeleton, report)
        check_sides(document, skeleton, report)
    check_pictures(document, pictures, report, progress=progress)
    return report


MEANINGLESS = {
    "incomplete-image",
    "duplicate-image-id",
    "duplicate-file",
    "unknown-image",
    "unknown-category",
    "bad-box",
    "keypoint-count",
    "bad-keypoints",
    "unnamed-keypoints",
    "visibility",
}
"""Findings that leave an annotation without a meaning in other formats."""


def first_meaningless(document: CocoFile) -> str | None:
    """Why `document` cannot be converted: the first finding; None where it can."""
    report = Report()
    check_records(document, report)
    check_people(document, report)
    return next((f"{f} ({f.kind})" for f in report.findings if f.kind in MEANINGLESS), None)
