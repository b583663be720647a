"""A detector on annotated pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posetrack.cards import ModelCard
from posetrack.datasets.annotations import Annotations
from posetrack.datasets.scenes import STRICT, scenes
from posetrack.errors import ConfigError
from posetrack.evaluation.boxes import BoxTruth, detection_metrics, match_boxes
from posetrack.evaluation.coco import Row, average_precision
from posetrack.evaluation.pipeline import BoxModel
from posetrack.evaluation.pose import Figures, Watch, no_watch
from posetrack.evaluation.truth import box_answers, box_ground
from posetrack.types import Detections, Floats

FALSE_PER_IMAGE = 1.0


@dataclass(frozen=True, slots=True)
class Class:
    """One class that file and detector both know."""

    name: str
    label: int
    category: int


@dataclass(frozen=True, slots=True)
class DetectionEvaluation:
    """What was found, and how good that is.

    Attributes:
        pictures: of each picture id, what is there and what was found, a row a class.
        figures: by group: ``all``, ``complete`` (pictures of which everything is boxed), sources.
        classes: AP of each class, where there are several.
        curves: (10, 101) precision over recall, see `coco.Precision`.
    """

    pictures: dict[int, list[BoxTruth]]
    figures: dict[str, Figures]
    classes: dict[str, Figures]
    curves: Floats


def shared_classes(annotations: Annotations, card: ModelCard) -> list[Class]:
    """The classes that the detector returns and the file annotates, by name.

    A detector of one class and a file of one category mean the same, whatever it is called.

    Raises:
        ConfigError: they have no class in common.
    """
    by_name = {name: key for key, name in annotations.categories.items()}
    kept = [(card.labels[label], label) for label in card.kept_labels]
    shared = [Class(name, label, by_name[name]) for name, label in kept if name in by_name]
    if not shared and len(kept) == len(by_name) == 1:
        (name, label), (category,) = kept[0], by_name.values()
        return [Class(name, label, category)]
    if not shared:
        theirs, ours = ", ".join(by_name), ", ".join(name for name, _ in kept[:10])
        raise ConfigError(f"{annotations.path} annotates {theirs}, {card.name} finds {ours}")
    return shared


def evaluate_detection(
    annotations: Annotations,
    detector: BoxModel,
    classes: Sequence[Class],
    *,
    threshold: float,
    sources: bool = True,
    watch: Watch = no_watch,
) -> DetectionEvaluation:
    """Run `detector` on every picture and compare its boxes with the true ones.

    Ignore regions (``iscrowd``, and on incompletely boxed pictures what another detector saw)
    count neither as hit nor as false.

    Args:
        threshold: the detector's, where it is used; it itself should return far weaker boxes too.

    Raises:
        BackendMissing: faster-coco-eval is not installed.
    """
    found = {
        key: detector(annotations.pictures[key].load())
        for key in watch(list(annotations.pictures), "boxes")
    }
    pictures = _pictures(annotations, found, classes)
    ground = box_ground(annotations, [each.category for each in classes])
    answers = _answers(found, classes)
    whole = average_precision(ground, answers)
    figures: dict[str, Figures] = {}
    for name, keys in _groups(annotations, sources=sources).items():
        precision = whole if name == "all" else average_precision(ground, answers, keys)
        figures[name] = precision.figures | _figures([pictures[key] for key in keys], threshold)
    by_class: dict[str, Figures] = {}
    for each in classes if len(classes) > 1 else ():
        one = box_ground(annotations, [each.category])
        rows = [row for row in answers if row["category_id"] == each.category]
        by_class[each.name] = average_precision(one, rows).figures
    return DetectionEvaluation(pictures, figures, by_class, whole.curves)


def _pictures(
    annotations: Annotations, found: dict[int, Detections], classes: Sequence[Class]
) -> dict[int, list[BoxTruth]]:
    pictures: dict[int, list[BoxTruth]] = {key: [] for key in annotations.pictures}
    for each in classes:
        pairs = zip(pictures.items(), scenes(annotations, STRICT, {each.category}), strict=True)
        for (key, rows), scene in pairs:
            mine = found[key][found[key].labels == each.label]
            rows.append(BoxTruth(scene.boxes, scene.ignored, mine.boxes, mine.scores))
    return pictures


def _answers(found: dict[int, Detections], classes: Sequence[Class]) -> list[Row]:
    rows: list[Row] = []
    for key, detections in found.items():
        for each in classes:
            mine = detections[detections.labels == each.label]
            rows += box_answers(key, each.category, mine.boxes, mine.scores)
    return rows


def _groups(annotations: Annotations, *, sources: bool) -> dict[str, list[int]]:
    pictures = annotations.pictures
    found = {"all": list(pictures)}
    complete = [k for k, picture in pictures.items() if picture.fields.get("boxes_complete")]
    if 0 < len(complete) < len(pictures):
        found["complete"] = complete
    names = sorted({picture.source for picture in pictures.values()})
    for name in names if sources and len(names) > 1 else ():
        found[name] = [key for key, picture in pictures.items() if picture.source == name]
    return found


def _figures(pictures: Sequence[list[BoxTruth]], threshold: float) -> Figures:
    """Recall at one false box a picture, and recall and false boxes at `threshold`."""
    rows = [row for picture in pictures for row in picture]
    count = len(pictures)
    at_one = detection_metrics(rows, false_per_image=FALSE_PER_IMAGE, images=count)
    scores, hits, total = match_boxes(rows)
    above = scores > threshold
    figures: Figures = {
        "images": float(count),
        "boxes": float(total),
        "recall": at_one["recall"] if total else None,
        "recall_threshold": at_one["threshold"],
        "card_recall": float(hits[above].sum()) / total if total else None,
        "card_false_per_image": float(np.sum(1 - hits[above])) / max(count, 1),
    }
    return figures
