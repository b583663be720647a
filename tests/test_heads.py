"""Detectors of other makers: one scene written in each of their ways is found in each."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest

from posetrack.detector import Detector
from posetrack.errors import ModelError

SIZE = 64
# A dog, a person, the same person again a little worse, and a person too weak to count.
BOXES = np.array([[4, 8, 20, 24], [30, 10, 50, 60], [31, 10, 51, 60], [0, 0, 9, 9]], np.float32)
SCORES = np.array([[0.1, 0.8], [0.9, 0.0], [0.7, 0.1], [0.2, 0.1]], np.float32)  # person, dog
CARD = """
name: foreign
task: detection
architecture: foreign
head: {head}
input: {{size: [64, 64], color: rgb, mean: [0, 0, 0], std: [255, 255, 255]}}
labels: {labels}
files: [{{format: onnx, path: model.onnx}}]
"""


def _centred(boxes: np.ndarray) -> np.ndarray:
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def _yolox(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Every cell of strides 8, 16, 32; each box is told by one cell of stride 8."""
    rows = np.zeros((64 + 16 + 4, 5 + scores.shape[1]), np.float32)
    for box, score in zip(_centred(boxes), scores, strict=True):
        cell = (box[:2] // 8).astype(int)
        index = cell[1] * 8 + cell[0]
        while rows[index, 4]:  # two boxes of one cell: the neighbour tells the second
            index, cell = index + 1, cell + np.array([1, 0])
        rows[index] = [*(box[:2] / 8 - cell), *np.log(box[2:] / 8), 1, *score]
    return rows


def _survivors() -> np.ndarray:
    """x1, y1, x2, y2, score, class after somebody's NMS."""
    return np.array([[*BOXES[0], 0.8, 1], [*BOXES[1], 0.9, 0], [0, 0, 0, 0, 0, 0]], np.float32)


def _outputs(head: str) -> dict[str, np.ndarray]:
    plain = np.concatenate([_centred(BOXES), SCORES], axis=1)
    objects = np.concatenate(
        [_centred(BOXES), np.full((4, 1), 0.5, np.float32), SCORES * 2], axis=1
    )
    rows = _survivors()
    return {
        "yolov8": {"output0": plain.T[None]},
        "yolov5": {"output0": objects[None]},
        "yolox": {"output": _yolox(BOXES, SCORES)[None]},
        "rows": {"output0": rows[None]},
        "detr": {"output0": np.concatenate([_centred(BOXES) / SIZE, SCORES], axis=1)[None]},
        "torchvision": {
            "boxes": rows[:, :4],
            "labels": rows[:, 5].astype(np.int64),
            "scores": rows[:, 4],
        },
        "rtmdet": {"boxes": BOXES[None], "scores": SCORES[None]},
    }[head]


def _model(folder: Path, head: str, labels: str = "[person, dog]", **outputs: np.ndarray) -> Path:
    graphs.fixed_outputs(folder / "model.onnx", outputs or _outputs(head), (SIZE, SIZE))
    (folder / "card.yaml").write_text(CARD.format(head=head, labels=labels))
    return folder


HEADS = ["yolov8", "yolov5", "yolox", "rows", "detr", "torchvision", "rtmdet"]


@pytest.mark.parametrize("head", HEADS)
def test_a_scene_is_found_whoever_wrote_it(head: str, tmp_path: Path) -> None:
    detect = Detector.load(_model(tmp_path, head))
    found = detect(np.zeros((2 * SIZE, 2 * SIZE, 3), np.uint8))
    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.8], atol=1e-5)
    np.testing.assert_allclose(found.boxes, 2 * BOXES[[1, 0]], atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_the_classes_that_are_asked_for_are_tracked(head: str, tmp_path: Path) -> None:
    detect = Detector.load(_model(tmp_path, head), labels=["dog"])
    assert detect(np.zeros((SIZE, SIZE, 3), np.uint8)).labels.tolist() == [1]


def test_outputs_of_torchvision_are_told_by_their_form(tmp_path: Path) -> None:
    rows = _survivors()
    outputs = {"2767": rows[:, :4], "2770": rows[:, 5].astype(np.int64), "2769": rows[:, 4]}
    detect = Detector.load(_model(tmp_path, "torchvision", **outputs))
    assert len(detect(np.zeros((SIZE, SIZE, 3), np.uint8))) == 2


def test_a_graph_that_takes_one_picture_without_a_batch_runs(tmp_path: Path) -> None:
    rows = _survivors()
    outputs = {"boxes": rows[:, :4], "labels": rows[:, 5].astype(np.int64), "scores": rows[:, 4]}
    graphs.fixed_outputs(tmp_path / "model.onnx", outputs, (3, SIZE, SIZE), batch=False)
    (tmp_path / "card.yaml").write_text(CARD.format(head="torchvision", labels="[person, dog]"))
    detect = Detector.load(tmp_path)
    assert len(detect(np.zeros((SIZE, SIZE, 3), np.uint8))) == 2


@pytest.mark.parametrize("head", ["yolov8", "yolov5", "rows"])
def test_a_head_that_the_graph_has_not_is_told(head: str, tmp_path: Path) -> None:
    wrong = np.zeros((1, 7, 11), np.float32)
    with pytest.raises(ModelError, match=f"head {head} with 2 labels has . numbers a box"):
        Detector.load(_model(tmp_path, head, output0=wrong))


def test_a_graph_of_another_maker_without_a_head_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"how to read it \(head: yolov8, yolov5"):
        Detector.load(_model(tmp_path, "rtmdet", output0=_outputs("yolov8")["output0"]))
