"""Keypoint names against the skeleton that a training would use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.checks.report import Report
from posetrack.datasets.coco import CocoFile
from posetrack.datasets.names import named_pairs
from posetrack.skeletons import DEFAULT_SIGMA, Skeleton


def check_skeleton(document: CocoFile, skeleton: Skeleton, report: Report) -> None:
    """Names, sigmas and flip pairs."""
    names = document.keypoint_names
    if names and not document.categories[0].get("keypoints"):
        first = document.categories[0].get("name", document.categories[0].get("id"))
        report.add("late-keypoints", f"trainings read the names of the first one, {first!r}")
    missing = [name for name in names if name not in skeleton.keypoints]
    if missing and len(missing) == len(names):
        detail = f"{_few(names)} and not {_few(skeleton.keypoints)} ({skeleton.name})"
        report.add("no-mapped-name", detail)
        return
    if missing:
        report.add("unmapped-names", f"{_few(missing)}: not in {skeleton.name}, left out")
    never = _never_labelled(document, skeleton)
    if never:
        report.add("unlabelled-keypoints", f"{_few(never)}: will not be learned")
    if set(skeleton.sigmas) == {DEFAULT_SIGMA}:
        report.add("no-sigmas", f"skeleton {skeleton.name!r}")
    sided = named_pairs(skeleton.keypoints)
    paired = {frozenset(pair) for pair in skeleton.flip_pairs}
    lacking = [pair for pair in sided if frozenset(pair) not in paired]
    if lacking:
        pairs = [f"{skeleton.keypoints[a]}/{skeleton.keypoints[b]}" for a, b in lacking]
        report.add("no-flip-pairs", f"skeleton {skeleton.name!r}: {_few(pairs)}")


def _never_labelled(document: CocoFile, skeleton: Skeleton) -> list[str]:
    """Keypoints of the skeleton without one labelled example; none where nothing is labelled."""
    names = document.keypoint_names
    counts = np.zeros(len(names), np.int64)
    for row in document.annotations:
        flat = numbers(row.get("keypoints"), 3 * len(names))
        if flat is not None:
            counts += np.asarray(flat[2::3]) > 0
    labelled = {name for name, count in zip(names, counts.tolist(), strict=True) if count}
    return [name for name in skeleton.keypoints if labelled and name not in labelled]


def _few(words: Sequence[str], most: int = 6) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
