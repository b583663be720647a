"""Keypoints of all people as arrays, and what they say of left and right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from posetrack.datasets.checks.numbers import numbers
from posetrack.datasets.checks.records import key, picture_names
from posetrack.datasets.checks.report import Report
from posetrack.datasets.checks.sides import MIN_FACES, Suspect, face_sense, suspect_pairs
from posetrack.datasets.checks.sides import left_first as left_first_pairs
from posetrack.datasets.coco import CocoFile
from posetrack.skeletons import Skeleton
from posetrack.types import Floats


@dataclass(frozen=True, slots=True)
class Labels:
    """People with usable keypoints: rows (N,) of the file's annotations, points (N, K, 2) in the
    skeleton's order, visibility (N, K).
    """

    rows: npt.NDArray[np.int64]
    points: Floats
    visibility: Floats

    @classmethod
    def of(cls, document: CocoFile, skeleton: Skeleton) -> Labels:
        """Keypoints matched by name; annotations with none that is usable are left out."""
        names = document.keypoint_names
        columns = [
            (i, skeleton.keypoints.index(n)) for i, n in enumerate(names) if n in skeleton.keypoints
        ]
        source, target = [i for i, _ in columns], [j for _, j in columns]
        rows, found = [], []
        for place, row in enumerate(document.annotations):
            flat = numbers(row.get("keypoints"), 3 * len(names))
            if flat and any(flat[2::3]):
                rows.append(place)
                found.append(np.asarray(flat, np.float32).reshape(-1, 3))
        table = np.zeros((len(rows), len(skeleton), 3), np.float32)
        if found:
            table[:, target] = np.stack(found)[:, source]
        return cls(np.asarray(rows, np.int64), table[..., :2], table[..., 2])


def check_sides(document: CocoFile, skeleton: Skeleton, report: Report) -> None:
    """Suspects of swapped left and right."""
    labels = Labels.of(document, skeleton)
    seen = labels.visibility > 0
    names = picture_names(document)
    pairs = left_first_pairs(skeleton)

    def add(kind: str, person: int, detail: str) -> None:
        place = int(labels.rows[person])
        row = document.annotations[place]
        name = names.get(key(row.get("image_id")), "")
        report.add(kind, detail, picture=name, annotation=row.get("id"), row=place)

    def describe(suspect: Suspect) -> str:
        words = [_pair_name(skeleton.keypoints[pairs[i, 0]]) for i in suspect.pairs]
        return f"{', '.join(words)} (odds {min(np.exp(suspect.odds), 9999):.0f} to 1)"

    for suspect in suspect_pairs(labels.points, seen, skeleton):
        add("suspect-pairs", suspect.person, describe(suspect))
    # Hidden points are guesses; only a face that is seen shows which way round it is.
    sense = face_sense(labels.points, labels.visibility == 2, skeleton)
    mirrored = np.flatnonzero(sense < 0)
    whole = (sense != 0).sum() >= MIN_FACES and len(mirrored) > (sense > 0).sum()
    for person in mirrored.tolist():
        kind = "viewer-sides" if whole else "suspect-face"
        add(kind, person, "eyes and nose mirrored, or seen from behind")


def _pair_name(name: str) -> str:
    for word in ("left", "Left", "LEFT"):
        name = name.replace(word, "")
    return name.strip(" _-.")
