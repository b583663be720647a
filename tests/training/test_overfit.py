"""Eight pictures learned by heart, then exported and found again by what runs the models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import drawn

from posetrack.detector import Detector
from posetrack.estimator import Estimator
from posetrack.geometry import iou_matrix
from posetrack.training import detection_task, pose_task
from posetrack.training.export import export_model
from posetrack.training.loop import Trainer
from posetrack.training.tasks import make_task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


Learned = tuple[Path, drawn.Recorder, Any]


def in_rounds(repeats: Sequence[float], seed: int, epoch: int) -> list[int]:
    """Rows in place of `shuffled`: a batch of 8 holds all 8 pictures, so norms see always the same.

    With batches of chance their statistics change from step to step, and the loss with them.
    """
    return list(range(len(repeats))) * round(repeats[0])


def learn(folder: Path, task: str, **changes: Any) -> Learned:
    """The run's folder, what it told and its task, after some hundred steps on 8 pictures."""
    torch.set_num_threads(1)
    drawn.write_set(folder, 8, ghosts=task == "detection")
    source = {"annotations": "people.json", "images": "people.tar", "repeat": 25}
    schedule = {"batch_size": 8, "warmup_iterations": 10, "evaluate_every": 99}
    schedule |= {"flat_fraction": 0.3, "final_lr_ratio": 0.01} | changes.pop("schedule")
    model = {"input_size": [64, 64]} | changes.pop("model", {})
    data = {"train": [source]}
    recipe = drawn.recipe(folder, task, data=data, schedule=schedule, model=model, **changes)
    with pytest.MonkeyPatch.context() as patch:
        for module in (pose_task, detection_task):
            patch.setattr(module, "shuffled", in_rounds)
        log, made = drawn.Recorder(), make_task(recipe)
        Trainer(recipe, made, folder / "run").run(log)  # type: ignore[arg-type]
    return folder / "run", log, made


@pytest.fixture(scope="module")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return learn(tmp_path_factory.mktemp("pose"), "pose", schedule={"lr": 2e-3, "epochs": 5})


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return learn(
        tmp_path_factory.mktemp("detection"),
        "detection",
        model={"classes": "all"},
        schedule={"lr": 4e-3, "epochs": 8},
    )


def test_a_pose_network_learns_eight_pictures_by_heart(pose: Learned) -> None:
    """The divergence of a label from itself is 0: no floor."""
    _, log, _ = pose
    assert log.losses[-1]["kl"] < 0.01 * log.losses[0]["kl"]
    metrics = log.metrics[-1]["all"]
    assert metrics["pck@0.1"] == 1
    assert metrics["oks"] > 0.9
    assert set(log.metrics[-1]) == {"all", "drawn", "painted"}


def test_the_exported_pose_network_finds_the_joints_it_learned(
    pose: Learned, tmp_path: Path
) -> None:
    run, _, task = pose
    card = export_model(run / "best.pth", tmp_path / "drawn", name="drawn", half_weights=True)
    assert card.input.size == (64, 64)
    estimator = Estimator.load(tmp_path / "drawn", threads=1)
    for person in task.people[:4]:
        poses = estimator(person.picture.load(), person.box[None])
        off = np.linalg.norm(poses.keypoints[0] - person.keypoints, axis=1)
        assert np.median(off) < 3
        assert poses.scores.min() > 0.2


def test_a_detector_learns_eight_pictures_by_heart(detection: Learned) -> None:
    """No floor: quality focal is 0 where the score is the IoU, its entropy too (times 0), GIoU's
    is 0 on the box. Measured from the maximum, as the losses of a fresh network, whose boxes
    overlap with nobody, weigh next to nothing.
    """
    _, log, _ = detection
    metrics = log.metrics[-1]["complete"]
    assert metrics["ap50"] > 0.95
    assert metrics["recall"] == 1
    sums = [sum(entry.values()) for entry in log.losses]
    assert np.mean(sums[-5:]) < 0.05 * max(sums)


def test_the_exported_detector_finds_the_people_it_learned(
    detection: Learned, tmp_path: Path
) -> None:
    run, log, task = detection
    threshold = log.metrics[-1]["complete"]["threshold"] * 0.99
    card = export_model(
        run / "best.pth", tmp_path / "det", name="det", thresholds={"detection": threshold}
    )
    assert card.input.size == (64, 64)
    detector = Detector.load(tmp_path / "det", threads=1)
    assert (card.labels, card.keep) == (("person", "ghost"), ("person",))
    people, ghosts = [], [0.0]
    for scene in task.scenes:
        found = detector(scene.picture.load())
        if scene.labels.tolist() == [0]:
            assert iou_matrix(found.boxes, scene.boxes).max() > 0.5
            people.append(found.scores.max())
        else:
            ghosts.extend(found.scores)
    assert min(people) > max(ghosts), "nobody there but the ghost, which was not asked for"
