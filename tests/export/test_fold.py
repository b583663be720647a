"""What is put into the graph answers as what was done around it."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from posetrack import demo, zoo
from posetrack.backends import open_backend
from posetrack.cards import Input, ModelCard
from posetrack.detector import Detector
from posetrack.errors import ModelError
from posetrack.estimator import Estimator
from posetrack.export.fold import append_nms, fold_decoding, fold_input
from posetrack.export.graph import simplified
from posetrack.export.job import Plan, export
from posetrack.geometry import greedy_nms, iou_matrix
from posetrack.normalize import Normalizer
from posetrack.types import Floats, Image

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture(scope="module")
def pictures() -> list[tuple[Image, Floats]]:
    scenes = list(demo.frames(1.0))[::8]
    return [(image, truth.boxes) for image, truth in scenes]


@pytest.fixture(scope="module")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded pose model, normalisation and decoding inside."""
    folder = tmp_path_factory.mktemp("pose")
    export(zoo.find(task="pose"), folder, Plan(fold="all"), name="one-graph")
    return folder


def test_a_folded_pose_model_takes_bytes_and_gives_three_numbers_a_keypoint(pose: Path) -> None:
    card = zoo.find(pose).card
    assert (card.input.folded, card.codec.kind) == (True, "decoded")
    backend = open_backend("ort", pose / "model.onnx")
    (taken,), (given,) = backend.inputs, backend.outputs
    assert (taken.shape, taken.dtype) == ((None, 256, 192, 3), np.uint8)
    assert (given.name, given.shape) == ("keypoints", (None, 17, 3))


def test_a_folded_pose_model_finds_the_same_keypoints(
    pose: Path, pictures: list[tuple[Image, Floats]]
) -> None:
    plain, folded = Estimator.load(threads=1, precision="fp32"), Estimator.load(pose, threads=1)
    for image, boxes in pictures:
        expected, found = plain(image, boxes), folded(image, boxes)
        np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.01)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_every_row_of_a_folded_batch_is_its_own(
    pose: Path, pictures: list[tuple[Image, Floats]]
) -> None:
    image, boxes = pictures[0]
    folded = Estimator.load(pose, threads=1, max_batch=2)
    together = folded(image, boxes)
    for row in reversed(range(len(boxes))):
        alone = folded(image, boxes[row : row + 1])
        np.testing.assert_allclose(alone.keypoints[0], together.keypoints[row], atol=0.01)


def test_the_flip_test_of_a_folded_model_exchanges_left_and_right(
    pose: Path, pictures: list[tuple[Image, Floats]]
) -> None:
    image, boxes = pictures[0]
    plain = Estimator.load(threads=1, precision="fp32", flip_test=True)(image, boxes)
    folded = Estimator.load(pose, threads=1, flip_test=True)(image, boxes)
    away = np.linalg.norm(folded.keypoints - plain.keypoints, axis=-1)
    assert np.median(away) < 3, "coordinates are averaged, not what they are read from"


@pytest.mark.parametrize("nms", [False, True])
def test_a_folded_detector_finds_the_same_boxes(
    nms: bool, tmp_path: Path, pictures: list[tuple[Image, Floats]]
) -> None:
    card, parity = export(
        zoo.find(task="detection"), tmp_path, Plan(fold="all", nms=nms), name="one-graph"
    )
    assert card.input.folded
    assert parity.px < 0.01
    plain, folded = Detector.load(threads=1), Detector.load(tmp_path, threads=1)
    for image, _ in pictures:
        expected, found = plain(image), folded(image)
        assert len(expected) > 2
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.01)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_a_folded_graph_without_its_card_is_recognised(pose: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.onnx"
    bare.write_bytes((pose / "model.onnx").read_bytes())
    card = zoo.find(bare, task="pose").card
    assert (card.input.folded, card.codec.kind, card.input.size) == (True, "decoded", (192, 256))


def test_a_card_that_says_otherwise_than_the_graph_is_refused(pose: Path) -> None:
    model = zoo.find(pose)
    wrong = model.card.input.model_copy(update={"folded": False})
    with pytest.raises(ModelError, match=r"says input\.folded False, the graph takes uint8"):
        Estimator(model.card.model_copy(update={"input": wrong}), open_backend("ort", model.path))


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_normalisation_is_exact_where_no_convolution_takes_it(color: str, tmp_path: Path) -> None:
    """A graph that adds up its channels, weighted: order, mean and std all show."""
    nodes = [
        helper.make_node("Mul", ["input", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], ["sum"], keepdims=1),
    ]
    shape = ["batch", 3, 4, 5]
    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    total = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", 1, 4, 5])
    weights = np.array([1, 10, 100], np.float32).reshape(1, 3, 1, 1)
    constants = {"weights": weights, "axis": np.array([1])}
    path = graphs.save(tmp_path / "sum.onnx", nodes, [value], [total], constants)
    form = Input(size=(5, 4), color=color, mean=MEAN, std=STD)  # type: ignore[arg-type]
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    normalised = Normalizer(form.color, MEAN, STD)(image, np.empty((3, 4, 5), np.float32))
    expected = open_backend("ort", path).run({"input": normalised[None]})["sum"]
    model = simplified(path)
    fold_input(model, form)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    found = open_backend("ort", path).run({"input": image[None]})["sum"]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_decoding_takes_the_first_of_equal_peaks_and_the_lower_score(tmp_path: Path) -> None:
    x = np.array([[[0.1, 0.9, 0.9, 0.0], [0.2, 0.1, 0.0, 0.6]]], np.float32)
    y = np.array([[[0.7, 0.7], [-0.5, 0.8]]], np.float32)
    path = graphs.fixed_outputs(tmp_path / "m.onnx", {"simcc_x": x, "simcc_y": y}, (4, 4))
    model = onnx.load(path)
    fold_decoding(model, ["simcc_x", "simcc_y"], split=2.0)
    onnx.save(model, path)
    rows = open_backend("ort", path).run({"input": np.zeros((1, 3, 4, 4), np.float32)})
    expected = [[[0.5, 0.0, 0.7], [1.5, 0.5, 0.6]]]
    np.testing.assert_allclose(rows["keypoints"], np.array(expected, np.float32), atol=1e-6)


def detections(path: Path, boxes: Floats, scores: Floats, *nms: float) -> dict[str, np.ndarray]:
    """What a graph with NMS inside gives for boxes (N, A, 4) and scores (N, A, C)."""
    graphs.fixed_outputs(path, {"boxes": boxes, "scores": scores}, (32, 32))
    model = onnx.load(path)
    append_nms(model, *nms)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    backend = open_backend("ort", path)
    return dict(backend.run({"input": np.zeros((1, 3, 32, 32), np.float32)}))


def test_nms_inside_equals_nms_in_numpy_for_every_picture_and_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (3, 80, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 40, (3, 80, 2))], -1)
    boxes, scores = boxes.astype(np.float32), rng.uniform(0, 1, (3, 80, 2)).astype(np.float32)
    found = detections(tmp_path / "m.onnx", boxes, scores, 0.4, 0.5)
    assert found["dets"].shape == (3, 100, 5)
    for picture in range(3):
        rows = found["dets"][picture]
        assert (np.diff(rows[:, 4]) <= 0).all(), "strongest first"
        for label in range(2):
            mine = (found["labels"][picture] == label) & (rows[:, 4] > 0)
            above = np.flatnonzero(scores[picture, :, label] > 0.4)
            ranks = scores[picture, above, label]
            of = boxes[picture, above]
            keep = greedy_nms(ranks, iou_matrix(of, of), 0.5)
            assert 3 < keep.sum() < len(above)
            order = np.argsort(-ranks[keep])
            np.testing.assert_allclose(rows[mine, :4], of[keep][order], atol=1e-4)
            np.testing.assert_allclose(rows[mine, 4], ranks[keep][order], atol=1e-6)


def test_nms_inside_may_find_nobody(tmp_path: Path) -> None:
    boxes = np.array([[[0, 0, 9, 9], [5, 5, 20, 20]]], np.float32)
    scores = np.array([[[0.2], [0.3]]], np.float32)
    found = detections(tmp_path / "m.onnx", boxes, scores, 0.9, 0.5)
    assert found["dets"].shape == (1, 2, 5), "no more rows than boxes"
    assert not found["dets"][..., 4].any()


def test_an_old_card_still_reads_as_before() -> None:
    card: ModelCard = zoo.find(task="pose").card
    assert (card.input.folded, card.codec.kind) == (False, "simcc")
    assert "folded" not in card.to_yaml()
