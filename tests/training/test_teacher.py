"""A detector that teaches: its dense answers are labels, and what it suspects is not background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
import torch
from torch import Tensor
from training import drawn

from posetrack.errors import ConfigError, ModelError
from posetrack.networks import build
from posetrack.networks.rtmdet import RTMDet
from posetrack.training.detection_task import DetectionTask
from posetrack.training.export import export_onnx
from posetrack.training.teacher import Teacher


@pytest.fixture
def network() -> RTMDet:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build("rtmdet-nano", input_size=(64, 64)).eval()
    assert isinstance(model, RTMDet)
    with torch.no_grad():
        for classify, regress in zip(model.bbox_head.rtm_cls, model.bbox_head.rtm_reg, strict=True):
            classify.bias.fill_(0.5)
            regress.bias.fill_(1.5)
    return model


def task(tmp_path: Path, network: RTMDet | None, **teacher: Any) -> DetectionTask:
    drawn.write_set(tmp_path, 2)
    if network is not None:
        export_onnx(network, tmp_path / "teacher.onnx", input_size=(64, 64))
    section = {"onnx": "teacher.onnx", "scores": "scores", "boxes": "boxes", "weight": 3.0}
    return DetectionTask(drawn.recipe(tmp_path, "detection", teacher=section | teacher))


def batch(complete: bool, boxes: Tensor | None = None) -> tuple[Any, ...]:
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    none = torch.empty(0, 4)
    truth = none if boxes is None else boxes
    labels = torch.zeros(len(truth), dtype=torch.long)
    return images, [truth] * 2, [labels] * 2, [none] * 2, [complete] * 2


def test_the_teacher_gives_a_score_and_a_box_for_every_prior(
    tmp_path: Path, network: RTMDet
) -> None:
    export_onnx(network, tmp_path / "teacher.onnx", input_size=(64, 64))
    images = torch.randn(3, 3, 64, 64)
    scores, boxes = Teacher(tmp_path / "teacher.onnx", "scores", "boxes")(images)
    with torch.no_grad():
        expected = network.predict(images)
    torch.testing.assert_close(scores, expected[1][..., 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(boxes, expected[0], rtol=1e-4, atol=1e-2)


def test_a_student_that_answers_as_its_teacher_loses_nothing(
    tmp_path: Path, network: RTMDet
) -> None:
    losses = task(tmp_path, network).loss(network, batch(complete=True))
    assert losses["t_class"].item() == pytest.approx(0, abs=1e-6)
    assert losses["t_box"].item() == pytest.approx(0, abs=1e-3)
    assert losses["class"] > 0


def test_the_teachers_losses_are_weighted(tmp_path: Path, network: RTMDet) -> None:
    torch.manual_seed(5)
    student = build("rtmdet-nano", input_size=(64, 64)).eval()
    samples = batch(complete=True)
    weighted = task(tmp_path, network).loss(student, samples)
    plain = task(tmp_path, None, weight=1.0).loss(student, samples)
    for name in ("t_class", "t_box"):
        assert weighted[name].item() == pytest.approx(3 * plain[name].item(), rel=1e-4)
    assert weighted["class"].item() == pytest.approx(plain["class"].item(), rel=1e-5)


def test_what_the_teacher_suspects_is_background_only_where_all_people_are_boxed(
    tmp_path: Path, network: RTMDet
) -> None:
    lesson = task(tmp_path, network)
    assert lesson.loss(network, batch(complete=True))["class"] > 0
    # Its scores are all above 0.1, so on other pictures nothing counts as background.
    assert lesson.loss(network, batch(complete=False))["class"] == 0


def test_teachers_that_cannot_teach_are_refused(tmp_path: Path, network: RTMDet) -> None:
    with pytest.raises(ModelError, match=r"no teacher at .*teacher.onnx: set teacher.onnx or"):
        task(tmp_path, None)
    with pytest.raises(ModelError, match=r"the teacher teacher.onnx has no tensors \['y.99'\]"):
        task(tmp_path, network, scores="y.99")
    rows = np.zeros((5, 4)).tolist()
    graphs.detector(tmp_path / "five.onnx", rows, [[0.5]] * 5)
    five = task(tmp_path, None, onnx="five.onnx")
    with pytest.raises(ConfigError, match="gives 5 scores a picture, the student 84: take a"):
        five.loss(network, batch(complete=True))
