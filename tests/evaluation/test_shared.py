"""The embedded pose model on a few real people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from posetrack.datasets.annotations import Annotations
from posetrack.estimator import Estimator
from posetrack.evaluation.pose import evaluate_pose


def few(annotations: Annotations, source: str, count: int) -> Annotations:
    keys = [key for key, picture in annotations.pictures.items() if picture.source == source]
    pictures = {key: annotations.pictures[key] for key in keys[:count]}
    return replace(annotations, pictures=pictures)


@pytest.mark.shared
def test_the_embedded_model_reads_photographs_and_the_flip_test_does_not_harm(
    shared_dir: Path,
) -> None:
    pytest.importorskip("faster_coco_eval")
    data = few(Annotations.read(shared_dir / "data" / "pose" / "val.json"), "fashion", 16)
    plain = evaluate_pose(data, Estimator.load()).figures["all"]
    flipped = evaluate_pose(data, Estimator.load(flip_test=True)).figures["all"]
    assert (plain["pck@0.1"] or 0) > 0.8
    assert (plain["ap"] or 0) > 0.4
    assert (flipped["oks"] or 0) > (plain["oks"] or 0) - 0.02
