"""Detector and pose model together, on pictures of which everybody is annotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from posetrack.datasets.annotations import Annotations, Person
from posetrack.evaluation.keypoints import pose_metrics
from posetrack.evaluation.pose import (
    Answers,
    PoseEvaluation,
    PoseModel,
    Watch,
    compare,
    groups,
    no_watch,
    people_by_picture,
)
from posetrack.geometry import box_area, greedy_nms, iou_matrix, oks_matrix
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Floats, Image, Poses

MOST = 20
"""People a picture, as COCO's keypoint evaluation takes them."""

SAME_POSE = 0.9
"""OKS from which the weaker of two poses goes, as in MMPose's evaluation."""

FOUND_IOU = 0.5


class BoxModel(Protocol):
    """What a `Detector` is to an evaluation."""

    def __call__(self, image: Image) -> Detections:
        """What is in the picture."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The poses of one picture, (n, K, 2), and the people annotated there with their keypoints."""

    poses: Poses
    scores: Floats
    found: Floats


def evaluate_pipeline(
    annotations: Annotations,
    detector: BoxModel,
    estimator: PoseModel,
    *,
    threshold: float,
    label: int = 0,
    sources: bool = True,
    pair: tuple[int, int] | None = None,
    watch: Watch = no_watch,
) -> PoseEvaluation:
    """Find people and their poses in every picture, and compare.

    AP takes every detection the detector gives, ranked by box score times mean keypoint score. PCK
    and the like take the boxes that score above `threshold`, as a run would; somebody whom none of
    them overlaps with IoU of .5 was not found and has every keypoint wrong.

    Args:
        threshold: the detector's, where it is used.
        label: the class that is a person.
    """
    by_picture = people_by_picture(annotations, estimator.skeleton)
    people: list[Person] = []
    keys, sightings = [], []
    for key in watch(list(annotations.pictures), "pictures"):
        here = by_picture.get(key, [])
        seen = _look(annotations.pictures[key].load(), here, detector, estimator, threshold, label)
        people += here
        keys += [key] * len(seen.poses)
        sightings.append(seen)
    answers = Answers(
        np.array(keys),
        np.concatenate([seen.poses.keypoints for seen in sightings]),
        np.concatenate([seen.scores for seen in sightings]),
    )
    found = np.concatenate([seen.found for seen in sightings])
    skeleton = estimator.skeleton
    evaluation = compare(annotations, skeleton, people, found, answers, sources=sources, pair=pair)
    for name, (_, rows) in groups(annotations, people, sources=sources).items():
        some, points = [people[i] for i in rows], found[rows]
        evaluation.figures[name] |= _found_figures(some, points, skeleton)
    return evaluation


def _look(
    image: Image,
    people: list[Person],
    detector: BoxModel,
    estimator: PoseModel,
    threshold: float,
    label: int,
) -> Sighting:
    detections = detector(image)
    detections = detections[detections.labels == label][:MOST]
    poses = estimator(image, detections.boxes, box_scores=detections.scores)
    scores = np.asarray(poses.box_scores * poses.scores.mean(axis=1), np.float32)
    keep = greedy_nms(scores, _similarity(poses), SAME_POSE)
    truth = np.array([person.box for person in people], np.float32).reshape(-1, 4)
    found = _matched(truth, poses[poses.box_scores > threshold])
    return Sighting(poses[keep], scores[keep], found)


def _similarity(poses: Poses) -> Floats:
    """(n, n) COCO's OKS between poses, each pair by the mean of its boxes' areas."""
    area = box_area(poses.boxes)
    variance = np.asarray((2 * np.array(poses.skeleton.sigmas)) ** 2, np.float32)
    scale = np.asarray((area[:, None] + area[None]) / 2, np.float32)
    return oks_matrix(poses.keypoints, poses.keypoints, variance=variance, scale_sq=scale)


def _matched(truth: Floats, poses: Poses) -> Floats:
    """(G, K, 2) the pose in each person's box, infinite where there is none; one box a person."""
    keypoints = np.full((len(truth), len(poses.skeleton), 2), np.inf, np.float32)
    overlap = iou_matrix(truth, poses.boxes)
    # A pair below the limit is worth nothing, so that it cannot take a box from a better one.
    rows, columns = linear_sum_assignment(np.where(overlap >= FOUND_IOU, -overlap, 0))
    real = overlap[rows, columns] >= FOUND_IOU
    keypoints[rows[real]] = poses.keypoints[columns[real]]
    return keypoints


def _found_figures(
    people: list[Person], keypoints: Floats, skeleton: Skeleton
) -> dict[str, float | None]:
    """The share of people found, and the accuracy of these alone."""
    if not people:
        return {}
    found = np.asarray(np.isfinite(keypoints).all(axis=(1, 2)), np.bool_)
    some = [person for person, there in zip(people, found, strict=True) if there]
    alone = pose_metrics(some, keypoints[found], skeleton)
    return {
        "found": float(found.mean()),
        "pck@0.1 of found": alone.get("pck@0.1"),
        "pck@0.2 of found": alone.get("pck@0.2"),
        "oks of found": alone.get("oks"),
    }
