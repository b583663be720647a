"""The detector on real small graphs: what the graph says arrives in source pixels."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import cv2
import graphs
import numpy as np
import pytest

from posetrack import demo
from posetrack.backends import open_backend
from posetrack.detector import Detector
from posetrack.errors import ConfigError, ModelError, NotANumber
from posetrack.geometry import iou_matrix
from posetrack.zoo import find

PEOPLE = [[10, 20, 60, 150], [12, 22, 61, 149], [100, 100, 140, 200]]


def _load(path: Path | None, **settings: object) -> Detector:
    return Detector.load(path, **settings)  # type: ignore[arg-type]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three boxes, two of one person, scores .9 .8 .4."""
    return graphs.detector(tmp_path / "raw.onnx", PEOPLE, [[0.9], [0.8], [0.4]])


@pytest.fixture
def with_nms(tmp_path: Path) -> Path:
    """Two people of class 0, one of class 3, two rows of padding."""
    rows = [
        [100, 100, 140, 200, 0.4],
        [10, 20, 60, 150, 0.9],
        [0, 0, 30, 30, 0.95],
        [0, 0, 0, 0, 0],
        [-1, -1, -1, -1, -1],
    ]
    return graphs.detector_with_nms(tmp_path / "nms.onnx", rows, [0, 0, 3, 0, -1])


def test_boxes_come_back_in_source_pixels(raw: Path) -> None:
    found = _load(raw)(np.zeros((480, 640, 3), np.uint8))  # 640 -> 320: one half
    np.testing.assert_allclose(found.boxes, np.array([PEOPLE[0], PEOPLE[2]]) * 2, atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9, 0.4])
    assert found.labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("source", "fed"),
    [
        ((1920, 1080), (320, 192)),
        ((640, 480), (320, 256)),
        ((100, 100), (320, 320)),
        ((540, 960), (192, 320)),
        ((2000, 40), (320, 32)),
    ],
)
def test_no_more_strides_are_fed_than_the_picture_fills(
    raw: Path, source: tuple[int, int], fed: tuple[int, int]
) -> None:
    detector, shapes = _load(raw), []
    run = detector.backend.run

    def note(inputs: dict[str, Any]) -> Any:
        shapes.append(inputs["input"].shape)
        return run(inputs)

    detector.backend.run = note  # type: ignore[method-assign]
    image = np.full((source[1], source[0], 3), 200, np.uint8)
    found = detector(image)
    detector.rect = False
    square = detector(image)
    detector.rect = True
    again = detector(image)
    assert shapes == [(1, 3, fed[1], fed[0]), (1, 3, 320, 320), (1, 3, fed[1], fed[0])]
    np.testing.assert_allclose(found.boxes, square.boxes, rtol=0.01, atol=0.5)
    np.testing.assert_array_equal(found.boxes, again.boxes)


def test_a_wide_picture_shows_the_same_people_with_and_without_padding() -> None:
    image, _ = next(iter(demo.frames(1, fps=1)))
    wide = image[100:460]
    rect, square = _load(None), _load(None, rect=False)
    assert rect.rect
    assert not square.rect
    found, same = rect(wide), square(wide)
    sure = same.scores > 0.5
    assert sure.sum() >= 3
    assert iou_matrix(same.boxes[sure], found.boxes).max(axis=1).min() > 0.85


@pytest.mark.parametrize(("kind", "device"), [("tensorrt", "cuda:0"), ("onnxruntime", "cuda:0")])
def test_what_builds_or_captures_for_one_shape_keeps_it(raw: Path, kind: str, device: str) -> None:
    backend = open_backend("onnxruntime", raw)
    assert Detector(find(str(raw), task="detection"), backend).rect
    backend.kind, backend.device = kind, device
    assert not Detector(find(str(raw), task="detection"), backend).rect


def test_a_graph_of_one_size_is_fed_that(tmp_path: Path) -> None:
    fixed = graphs.detector(tmp_path / "fixed.onnx", PEOPLE, [[0.9]] * 3, size=(320, 320))
    detector = _load(fixed)
    assert not detector.rect
    assert len(detector(np.zeros((100, 320, 3), np.uint8))) == 1


def test_boxes_are_clipped_and_those_outside_the_picture_are_dropped(raw: Path) -> None:
    found = _load(raw)(np.zeros((80, 320, 3), np.uint8))
    np.testing.assert_allclose(found.boxes, [[10, 20, 60, 80]], atol=1e-3)


def test_a_broken_network_does_not_look_like_an_empty_room(tmp_path: Path) -> None:
    broken = graphs.detector(tmp_path / "nan.onnx", PEOPLE, [[0.9], [np.nan], [0.4]])
    with pytest.raises(NotANumber, match="puts out NaN: its file or precision is at fault"):
        _load(broken)
    broken = graphs.detector(tmp_path / "inf.onnx", [[10, 20, np.inf, 150]], [[0.9]])
    with pytest.raises(NotANumber):
        _load(broken)


def test_the_threshold_is_the_cards_unless_another_is_given(raw: Path) -> None:
    image = np.zeros((320, 320, 3), np.uint8)
    assert _load(raw).threshold == 0.3
    assert len(_load(raw, threshold=0.5)(image)) == 1
    assert len(_load(raw, threshold=0.9)(image)) == 0, "a score must be above, not at"


def test_nms_is_the_callers_to_choose(raw: Path) -> None:
    image = np.zeros((320, 320, 3), np.uint8)
    assert len(_load(raw, nms=0.99)(image)) == 3


def test_padding_rows_and_other_classes_of_a_graph_with_nms_are_left_out(with_nms: Path) -> None:
    found = _load(with_nms)(np.zeros((320, 320, 3), np.uint8))
    np.testing.assert_allclose(found.scores, [0.9, 0.4])
    assert found.labels.tolist() == [0, 0]


def test_a_threshold_of_zero_still_leaves_padding_out(with_nms: Path) -> None:
    assert len(_load(with_nms, threshold=0.0)(np.zeros((320, 320, 3), np.uint8))) == 2


def test_an_nms_given_for_a_graph_with_nms_is_applied_on_top(tmp_path: Path) -> None:
    rows = [[10, 10, 50, 50, 0.9], [15, 10, 55, 50, 0.8]]
    path = graphs.detector_with_nms(tmp_path / "m.onnx", rows, [0, 0])
    image = np.zeros((320, 320, 3), np.uint8)
    assert len(_load(path)(image)) == 2
    assert len(_load(path, nms=0.5)(image)) == 1


def test_small_boxes_can_be_left_out(raw: Path) -> None:
    found = _load(raw, min_size=70)(np.zeros((320, 320, 3), np.uint8))
    assert len(found) == 1


def test_classes_do_not_suppress_one_another(tmp_path: Path) -> None:
    path = graphs.detector(
        tmp_path / "two.onnx", PEOPLE, [[0.9, 0.1], [0.1, 0.8], [0.1, 0.35]], size=(320, 320)
    )
    (tmp_path / "two.card.yaml").write_text(
        "name: two\ntask: detection\narchitecture: rtmdet-nano\nlabels: [person, dog]\n"
        "input: {size: [320, 320], color: bgr, mean: [0, 0, 0], std: [1, 1, 1]}\n"
    )
    image = np.zeros((320, 320, 3), np.uint8)
    assert sorted(_load(path)(image).labels.tolist()) == [0, 1, 1]
    dogs = _load(path, labels=["dog"])(image)
    assert dogs.labels.tolist() == [1, 1]
    np.testing.assert_allclose(dogs.scores, [0.8, 0.35])
    with pytest.raises(ConfigError, match="two has no class 'cat': it knows person, dog"):
        _load(path, labels=["cat"])


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (641, 3), (333, 777)])
def test_any_picture_size_is_taken(size: tuple[int, int], raw: Path) -> None:
    found = _load(raw)(np.zeros((size[1], size[0], 3), np.uint8))
    assert (found.boxes >= 0).all()
    assert (found.boxes <= np.array([*size, *size])).all()


def test_nobody_is_an_empty_result(tmp_path: Path) -> None:
    path = graphs.detector(tmp_path / "m.onnx", PEOPLE, [[0.1]] * 3)
    found = _load(path)(np.zeros((50, 50, 3), np.uint8))
    assert found.boxes.shape == (0, 4)


def test_many_candidates_keep_the_strongest(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 250, (3000, 2))
    boxes = np.concatenate([corners, corners + 50], axis=1)
    scores = rng.uniform(0.31, 0.9, (3000, 1))
    found = _load(graphs.detector(tmp_path / "m.onnx", boxes, scores), nms=0.3)(
        np.zeros((320, 320, 3), np.uint8)
    )
    assert found.scores[0] == pytest.approx(scores.max())
    assert (np.diff(found.scores) <= 0).all()


def test_a_view_that_is_not_contiguous_is_taken(raw: Path) -> None:
    picture = np.zeros((320, 640, 3), np.uint8)[:, ::2]
    assert len(_load(raw)(picture)) == 2


def test_a_pose_model_is_refused(tmp_path: Path) -> None:
    path = graphs.brightest_pixel(tmp_path / "pose.onnx")
    with pytest.raises(ModelError, match="pose is a pose model, a detection model was asked"):
        _load(path)


def test_a_size_that_the_graph_does_not_take_is_refused(tmp_path: Path) -> None:
    path = graphs.detector(tmp_path / "m.onnx", PEOPLE, [[0.1]] * 3, size=(416, 416))
    assert _load(path).input_size == (416, 416)
    with pytest.raises(ModelError, match="input size 320x320 asked, the graph takes only 416x416"):
        _load(path, input_size=(320, 320))


def test_a_graph_with_other_outputs_is_refused(tmp_path: Path) -> None:
    pose = graphs.brightest_pixel(tmp_path / "pose.onnx")
    card = find(graphs.detector(tmp_path / "m.onnx", PEOPLE, [[0.1]] * 3)).card
    with pytest.raises(ModelError, match="a detector has dets and labels, or boxes and scores"):
        Detector(
            card.model_copy(update={"input": card.input.model_copy(update={"size": (192, 256)})}),
            open_backend("ort", pose),
        )


@pytest.mark.shared
def test_the_official_detector_finds_the_people_of_real_pictures(shared_dir: Path) -> None:
    weights = shared_dir / "data" / "weights" / "rtmdet-nano-nms-dynamic.onnx"
    detect = Detector.load(weights, threshold=0.3)
    wanted = json_people(shared_dir)
    recalled = total = 0
    for image, boxes in wanted:
        found = detect(image)
        overlap = iou(boxes, found.boxes)
        recalled += int((overlap.max(axis=1, initial=0) > 0.5).sum())
        total += len(boxes)
    assert total >= 10
    assert recalled / total > 0.8


@pytest.mark.shared
def test_a_bare_file_and_the_card_of_the_zoo_mean_the_same(shared_dir: Path) -> None:
    weights = shared_dir / "data" / "weights" / "rtmdet-nano-nms-dynamic.onnx"
    bare = find(weights, task="detection").card
    named = find(f"rtmdet-nano-person-sdk@{weights}", task="detection").card
    for field in ("input", "labels", "thresholds"):
        assert getattr(bare, field) == getattr(named, field)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from posetrack.geometry import iou_matrix

    return iou_matrix(a.astype(np.float32), b)


def json_people(shared_dir: Path, count: int = 20) -> list[tuple[np.ndarray, np.ndarray]]:
    """(picture, boxes (N, 4) xyxy) of pictures in which one person's box is true."""
    import json

    folder = shared_dir / "data" / "pose"
    labels = json.loads(next(folder.glob("*val*.json")).read_text())
    boxes: dict[int, list[list[float]]] = {}
    for row in labels["annotations"]:
        boxes.setdefault(row["image_id"], []).append(row["bbox"])
    by_name = {i["file_name"]: i["id"] for i in labels["images"] if i["source"] == "fashion"}
    people = []
    with tarfile.open(next(folder.glob("*val*.tar"))) as tar:
        for member in tar:
            if member.name not in by_name or len(people) == count:
                continue
            file = tar.extractfile(member)
            assert file is not None
            image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
            xywh = np.array(boxes[by_name[member.name]], np.float32)
            people.append((image, np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)))
    return people
