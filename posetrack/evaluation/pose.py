"""A pose model in the true boxes of annotated people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from posetrack.datasets.annotations import Annotations, Person
from posetrack.errors import ConfigError
from posetrack.evaluation.coco import Row, average_precision
from posetrack.evaluation.keypoints import Errors, all_metrics
from posetrack.evaluation.protocols import category_precision, crowding_figures
from posetrack.evaluation.space import space_metrics
from posetrack.evaluation.truth import keypoint_answers, keypoint_ground
from posetrack.evaluation.wholebody import part_figures
from posetrack.skeletons import Skeleton
from posetrack.types import Floats, Image, Poses

Figures = dict[str, float | None]
Watch = Callable[[Sequence[int], str], Iterable[int]]


class PoseModel(Protocol):
    """What an `Estimator` is to an evaluation."""

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints it finds."""

    def __call__(self, image: Image, boxes: Floats, *, box_scores: Floats | None = None) -> Poses:
        """One pose a box."""


@dataclass(frozen=True, slots=True)
class PoseEvaluation:
    """What was found, and how good that is.

    Attributes:
        people: N annotated people.
        keypoints: (N, K, 2) source px, infinite for somebody who was not found.
        errors: of each of them.
        figures: by group: ``all`` and the sources.
        parts: AP and AR of the parts of a whole body; empty for other skeletons.
        curves: (10, 101) precision over recall, see `coco.Precision`.
        skeleton: of the model.
    """

    people: list[Person]
    keypoints: Floats
    errors: Errors
    figures: dict[str, Figures]
    parts: dict[str, Figures]
    curves: Floats
    skeleton: Skeleton


def no_watch(keys: Sequence[int], text: str) -> Iterable[int]:  # noqa: ARG001
    """Show no progress."""
    return keys


def evaluate_pose(
    annotations: Annotations,
    estimator: PoseModel,
    *,
    sources: bool = True,
    pair: tuple[int, int] | None = None,
    watch: Watch = no_watch,
) -> PoseEvaluation:
    """Run `estimator` in every annotated person's true box and compare.

    A pose's score, by which AP ranks, is the mean score of its keypoints.

    Args:
        sources: tell the figures of each source apart.
        pair: keypoints whose distance divides for NME; that of the skeleton by default.
        watch: shows progress over the pictures.

    Raises:
        ConfigError: nobody is annotated, or the keypoints have other names.
        BackendMissing: faster-coco-eval is not installed.
    """
    by_picture = people_by_picture(annotations, estimator.skeleton)
    people: list[Person] = []
    keys, found, scores = [], [], []
    depths: list[Floats] = []
    for key in watch(list(by_picture), "poses"):
        here = by_picture[key]
        poses = estimator(here[0].picture.load(), np.stack([person.box for person in here]))
        people += here
        keys += [key] * len(here)
        found.append(poses.keypoints)
        scores.append(poses.scores)
        if poses.depths is not None:
            depths.append(poses.depths)
    answers = Answers(np.array(keys), np.concatenate(found), np.concatenate(scores).mean(axis=1))
    evaluation = compare(
        annotations,
        estimator.skeleton,
        people,
        answers.keypoints,
        answers,
        sources=sources,
        pair=pair,
        depths=np.concatenate(depths) if depths else None,
    )
    evaluation.figures["all"]["ap_categories"] = category_precision(
        annotations, estimator.skeleton, people, keys, answers.keypoints, answers.scores
    )
    return evaluation


@dataclass(frozen=True, slots=True)
class Answers:
    """Poses for COCO's evaluation: picture ids (M,), keypoints (M, K, 2), scores (M,)."""

    keys: Floats
    keypoints: Floats
    scores: Floats

    def rows(self, columns: Sequence[int] | None = None) -> list[Row]:
        """In COCO's form, of all keypoints or those in `columns`."""
        rows: list[Row] = []
        for key in np.unique(self.keys):
            here = self.keys == key
            rows += keypoint_answers(int(key), self.keypoints[here], self.scores[here], columns)
        return rows


def people_by_picture(annotations: Annotations, skeleton: Skeleton) -> dict[int, list[Person]]:
    """Annotated people by picture id. Raises ConfigError where there is nobody."""
    ids = {id(picture): key for key, picture in annotations.pictures.items()}
    grouped: dict[int, list[Person]] = defaultdict(list)
    for person in annotations.people(skeleton):
        if person.labelled.any():
            grouped[ids[id(person.picture)]].append(person)
    if not grouped:
        raise ConfigError(
            f"{annotations.path} holds nobody with annotated keypoints of {skeleton.name}: "
            "evaluate on another file"
        )
    return dict(grouped)


def compare(
    annotations: Annotations,
    skeleton: Skeleton,
    people: list[Person],
    keypoints: Floats,
    answers: Answers,
    *,
    sources: bool = True,
    pair: tuple[int, int] | None = None,
    depths: Floats | None = None,
) -> PoseEvaluation:
    """Figures of `keypoints` (N, K, 2), aligned with `people`, and AP and AR of `answers`.

    With `depths` (N, K) also in space, where the truth there is known.
    """
    ground, rows = keypoint_ground(annotations, skeleton), answers.rows()
    whole = average_precision(ground, rows)
    figures: dict[str, Figures] = {}
    for name, (pictures, chosen) in groups(annotations, people, sources=sources).items():
        some = [people[i] for i in chosen]
        row: Figures = {"images": float(len(pictures))}
        row |= all_metrics(some, keypoints[chosen], skeleton, pair=pair)
        if depths is not None:
            row |= space_metrics(some, keypoints[chosen], depths[chosen], skeleton)
        precision = whole if name == "all" else average_precision(ground, rows, pictures)
        figures[name] = row | precision.figures
    figures["all"] |= crowding_figures(annotations, ground, rows)
    return PoseEvaluation(
        people,
        keypoints,
        Errors.of(people, keypoints, skeleton),
        figures,
        part_figures(annotations, skeleton, answers.rows),
        whole.curves,
        skeleton,
    )


def groups(
    annotations: Annotations, people: Sequence[Person], *, sources: bool
) -> dict[str, tuple[list[int], list[int]]]:
    """Picture ids and rows of `people` of everything, and of each source if there are several."""
    found = {"all": (list(annotations.pictures), list(range(len(people))))}
    names = sorted({picture.source for picture in annotations.pictures.values()})
    if not sources or len(names) < 2:
        return found
    for name in names:
        keys = [key for key, picture in annotations.pictures.items() if picture.source == name]
        rows = [i for i, person in enumerate(people) if person.picture.source == name]
        found[name] = (keys, rows)
    return found
