"""Accuracy of a detector and a pose model as they are shipped, alone and together.

    python benchmarks/accuracy.py --data PATH
    python benchmarks/accuracy.py --data PATH --det NAME --pose NAME --json results/other.json

Four tables, all on the validation splits of the reference data:

* poses in the true boxes of ``pose/val``: PCK at 0.1 and 0.2 of the box's longer side over the
  annotated keypoints, mean OKS and the share of people with OKS above .5 (COCO's sigmas and area);
* the same people as at a desk: of everybody upright the picture ends at the hips, or halfway
  between them and the shoulders, the box with it, and what lies below does not count; which share
  of those joints is shown all the same, above the card's threshold;
* the detector on ``det/val`` at IoU .5: on completely boxed pictures, the recall where at most
  one false box a picture is left, and the recall and false boxes at the threshold of its card. On
  the other pictures what a second detector saw with a score above .2 is ignored, neither hit nor
  false;
* both together on the pictures of ``pose/val``: each annotated person gets the detected box that
  overlaps most (one box for one person); somebody whom no box overlaps has every keypoint wrong.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import report
from scipy.optimize import linear_sum_assignment

from posetrack import zoo
from posetrack.cards import Task
from posetrack.datasets.annotations import Annotations, Person
from posetrack.datasets.scenes import STRICT, Scene, scenes
from posetrack.detector import Detector
from posetrack.estimator import Estimator
from posetrack.evaluation.boxes import BoxTruth, detection_metrics, match_boxes
from posetrack.evaluation.facts import sha256
from posetrack.evaluation.keypoints import pose_metrics
from posetrack.geometry import iou_matrix
from posetrack.skeletons import Skeleton
from posetrack.training.augment import part_above
from posetrack.types import Floats, Image

GYMNASTS = "lspet"
TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
EDGES = {"hips": 1.0, "chest": 0.5}
FALSE_PER_IMAGE = 1.0
LOWEST_SCORE = 0.02

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Sighting:
    """What was read of the people of one picture: (n, K, 2) in their true boxes, and in ours."""

    people: list[Person]
    given: Floats
    found: Floats
    matched: int


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="accuracy.json")
    parser.add_argument("--det", help="detector: name or path (default: the embedded one)")
    parser.add_argument("--pose", help="pose model: name or path (default: the embedded one)")
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--precision", default="fp32")
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)

    detector = Detector.load(chosen.det, backend=chosen.backend, precision=chosen.precision)
    card_threshold, detector.threshold = detector.threshold, LOWEST_SCORE
    boxes = detector_figures(chosen.data, detector, card_threshold)
    detector.threshold = card_threshold
    estimator = Estimator.load(chosen.pose, backend=chosen.backend, precision=chosen.precision)
    sightings = list(look(chosen.data, detector, estimator))
    alone = pose_figures(sightings, "given", estimator)
    together = pose_figures(sightings, "found", estimator)
    add_matched(together, sightings)

    seated = desk_figures(chosen.data, estimator)

    title = f"{estimator.card.name}, true boxes of pose/val"
    print_poses(title, alone)
    for name, figures in seated.items():
        print_poses(f"the same, pictures end at the {name}", figures)
        print(f"of the joints below, shown: {report.percent(figures['all']['absent_shown'])} %\n")
    print_detector(f"{detector.card.name} on det/val, IoU .5", boxes, card_threshold)
    print_poses(f"{detector.card.name} + {estimator.card.name} on pose/val", together)
    result: dict[str, Any] = {
        "backend": chosen.backend,
        "detector": describe(chosen.det, "detection"),
        "pose_model": describe(chosen.pose, "pose"),
        "poses_in_true_boxes": alone,
        "upper_bodies": seated,
        "detector_at_iou_50": {"card_threshold": card_threshold, **boxes},
        "end_to_end": together,
    }
    report.write(chosen.json, result)


def describe(name: str | None, task: Task) -> dict[str, Any]:
    """Which model this was."""
    model = zoo.find(name, task=task)
    size = list(model.card.input.size)
    return {"name": model.name, "input": size, "sha256": sha256(model.path)}


def desk_figures(data: Path, estimator: Estimator) -> dict[str, Figures]:
    """By where the picture ends: everybody, everyday pictures, gymnasts, and each source."""
    figures = {}
    for name, share in EDGES.items():
        people, keypoints, shown = [], [], []
        for person in people_of(data, estimator.skeleton):
            if (part := upper_body(person, estimator.skeleton, share)) is not None:
                image = np.ascontiguousarray(person.picture.load()[: int(part.box[3])])
                found = estimator(image, part.box[None])
                people.append(part)
                keypoints.append(found.keypoints)
                gone = (person.labelled > 0) & (part.weights == 0)
                shown.append(found.scores[0, gone] >= estimator.keypoint_threshold)
        figures[name] = by_group(people, np.concatenate(keypoints), estimator.skeleton)
        figures[name]["all"]["absent_shown"] = float(np.concatenate(shown).mean())
    return figures


def upper_body(person: Person, skeleton: Skeleton, share: float) -> Person | None:
    """What is left of who ends at `share` of the way from shoulders to hips; None of the rest."""
    rows = [skeleton.keypoints.index(name) for name in TORSO]
    shoulders, hips = person.keypoints[rows, 1].reshape(2, 2).mean(1)
    if not person.weights[rows].all() or shoulders >= hips:
        return None
    edge = float(shoulders + share * (hips - shoulders))
    box = part_above(person.box, person.keypoints, person.weights, edge)
    if box is None:
        return None
    weights = person.weights * (person.keypoints[:, 1] < edge)
    area = person.area * float(
        np.prod(box[2:] - box[:2]) / np.prod(person.box[2:] - person.box[:2])
    )
    return replace(
        person, box=box, weights=weights, labelled=person.labelled * (weights > 0), area=area
    )


def people_of(data: Path, skeleton: Skeleton) -> list[Person]:
    """Everybody of the validation set."""
    folder = data / "pose"
    return Annotations.read(folder / "val.json", folder / "val.tar").people(skeleton)


def look(data: Path, detector: Detector, estimator: Estimator) -> Iterator[Sighting]:
    """Every picture with annotated people, seen with the true boxes and with the detector's."""
    by_picture: dict[str, list[Person]] = defaultdict(list)
    for person in people_of(data, estimator.skeleton):
        by_picture[person.picture.name].append(person)
    for group in by_picture.values():
        image = group[0].picture.load()
        truth = np.stack([person.box for person in group])
        given = estimator(image, truth).keypoints
        found, matched = detected_poses(image, truth, detector, estimator)
        yield Sighting(group, given, found, matched)


def detected_poses(
    image: Image, truth: Floats, detector: Detector, estimator: Estimator
) -> tuple[Floats, int]:
    """(n, K, 2) the pose in each person's box, infinitely far where there is none; their number."""
    boxes = detector(image).boxes
    overlap = iou_matrix(truth, boxes)
    rows, columns = linear_sum_assignment(-overlap)
    real = overlap[rows, columns] > 0
    rows, columns = rows[real], columns[real]
    keypoints = np.full((len(truth), len(estimator.skeleton), 2), np.inf, np.float32)
    if len(rows):
        keypoints[rows] = estimator(image, boxes[columns]).keypoints
    return keypoints, len(rows)


def pose_figures(sightings: Sequence[Sighting], which: str, estimator: Estimator) -> Figures:
    """Pooled, everyday pictures, gymnasts, and each source."""
    people = [person for sighting in sightings for person in sighting.people]
    keypoints = np.concatenate([getattr(sighting, which) for sighting in sightings])
    return by_group(people, keypoints, estimator.skeleton)


def by_group(people: Sequence[Person], keypoints: Floats, skeleton: Skeleton) -> Figures:
    """Everybody, everyday pictures, gymnasts, and each source."""
    figures = {}
    for name, rows in groups(people).items():
        chosen = [people[row] for row in rows]
        figures[name] = pose_metrics(chosen, keypoints[rows], skeleton)
    return figures


def groups(people: Sequence[Person]) -> dict[str, list[int]]:
    """Row numbers of the people of each group."""
    rows: dict[str, list[int]] = {"all": [], "everyday": [], "gymnasts": []}
    for row, person in enumerate(people):
        source = person.picture.source
        kind = "gymnasts" if source == GYMNASTS else "everyday"
        for name in ("all", kind, source):
            rows.setdefault(name, []).append(row)
    return {name: found for name, found in rows.items() if found}


def add_matched(figures: Figures, sightings: Sequence[Sighting]) -> None:
    """Add, in place, the share of people whom a detected box overlaps at all."""
    people = [person for sighting in sightings for person in sighting.people]
    found = np.concatenate([np.isfinite(s.found).all(axis=(1, 2)) for s in sightings])
    for name, rows in groups(people).items():
        figures[name]["matched"] = float(found[rows].mean())


def detector_figures(data: Path, detector: Detector, threshold: float) -> Figures:
    """On completely boxed pictures, on all, and by source."""
    annotations = Annotations.read(data / "det" / "val.json")
    rows: dict[str, list[BoxTruth]] = {"complete": [], "all": []}
    for scene in scenes(annotations, STRICT):
        found = detector(scene.picture.load())
        seen = BoxTruth(scene.boxes, scene.ignored, found.boxes, found.scores)
        for name in _groups_of(scene):
            rows.setdefault(name, []).append(seen)
    return {name: _detector_row(found, threshold) for name, found in rows.items()}


def _groups_of(scene: Scene) -> tuple[str, ...]:
    source = scene.picture.source
    return ("all", source, "complete") if scene.complete else ("all", source)


def _detector_row(found: Sequence[BoxTruth], threshold: float) -> dict[str, float]:
    row = detection_metrics(found, false_per_image=FALSE_PER_IMAGE)
    scores, hits, total = match_boxes(found)
    above = scores > threshold
    row["card_recall"] = float(hits[above].sum()) / max(total, 1)
    row["card_false_per_image"] = float((1 - hits[above]).sum()) / len(found)
    return row


def print_poses(title: str, figures: Figures) -> None:
    """PCK and OKS in percent, a row a group."""
    keys = ["pck@0.1", "pck@0.2", "oks", "oks>.5"]
    if "matched" in figures["all"]:
        keys.append("matched")
    rows = [
        (name, f"{row['people']:.0f}", *(report.percent(row[key]) for key in keys))
        for name, row in figures.items()
    ]
    columns = ("group", "people", "PCK@0.1", "PCK@0.2", "OKS", "OKS>.5", "found")
    report.print_table(f"{title}, %", columns[: 2 + len(keys)], rows)


def print_detector(title: str, figures: Figures, threshold: float) -> None:
    """A row a group."""
    rows = [
        (
            name,
            f"{row['images']:.0f}",
            f"{row['boxes']:.0f}",
            report.percent(row["ap50"]),
            report.percent(row["recall"]),
            f"{row['threshold']:.3f}",
            report.percent(row["card_recall"]),
            f"{row['card_false_per_image']:.2f}",
        )
        for name, row in figures.items()
    ]
    at_card = f"recall % at {threshold:g}"
    columns = ("group", "images", "boxes", "AP50 %", "recall % at 1 false an image")
    report.print_table(title, (*columns, "score there", at_card, "false an image"), rows)


if __name__ == "__main__":
    main()
