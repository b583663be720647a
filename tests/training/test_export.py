"""Exported graphs answer as PyTorch does; model folders load as every model does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from posetrack.backends import open_backend
from posetrack.cards import load_card
from posetrack.detector import Detector
from posetrack.errors import ModelError
from posetrack.estimator import Estimator
from posetrack.geometry import CropTransform
from posetrack.networks import build
from posetrack.networks.checkpoint import load_model
from posetrack.networks.rtmdet import RTMDet
from posetrack.training import export
from posetrack.training.export import export_model, export_onnx
from posetrack.zoo import find


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def lively(architecture: str, side: int = 64) -> nn.Module:
    """A network whose signals are neither tiny nor huge, so that differences show."""
    torch.manual_seed(1)
    model = build(architecture, input_size=(side, side)).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=(2.5 / module.weight[0].numel()) ** 0.5)
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight, 0.8, 1.2),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.7, 1.4),
            ):
                nn.init.uniform_(values, low, high)  # type: ignore[arg-type]
    if isinstance(model, RTMDet):
        for classify, regress in zip(model.bbox_head.rtm_cls, model.bbox_head.rtm_reg, strict=True):
            nn.init.zeros_(classify.bias)  # type: ignore[arg-type]
            nn.init.constant_(regress.bias, 2.5)  # type: ignore[arg-type]  # boxes that overlap
    return model


def run(path: Path, pixels: torch.Tensor) -> dict[str, np.ndarray]:
    """What a graph answers, by name."""
    backend = open_backend("onnxruntime", path)
    found = backend.run({"input": pixels.numpy()})
    backend.close()
    return dict(found)


def images(count: int, side: int = 64) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(
    ("architecture", "names"),
    [("rtmpose-t", ["simcc_x", "simcc_y"]), ("rtmdet-nano", ["boxes", "scores"])],
)
@pytest.mark.parametrize("half", [False, True])
def test_the_graph_equals_the_network_at_every_batch_size(
    tmp_path: Path, architecture: str, names: list[str], half: bool
) -> None:
    model = lively(architecture)
    distance = export_onnx(model, tmp_path / "m.onnx", input_size=(64, 64), half_weights=half)
    limit = 2e-2 if half else 1e-4
    assert distance <= limit
    answer = model if architecture == "rtmpose-t" else model.predict
    for count in (1, 3):
        with torch.no_grad():
            expected = answer(images(count))  # type: ignore[operator]
        found = run(tmp_path / "m.onnx", images(count))
        for a, b in zip([found[name] for name in names], expected, strict=True):
            assert a.shape == tuple(b.shape)
            assert np.abs(a - b.numpy()).max() <= limit * b.abs().max().item()


@pytest.mark.parametrize("architecture", ["rtmpose-t", "rtmdet-nano"])
@pytest.mark.parametrize("half", [False, True])
def test_an_exported_graph_gives_its_weights_back(
    tmp_path: Path, architecture: str, half: bool
) -> None:
    model = lively(architecture)
    for gain in (p for name, p in model.named_parameters() if "gau" in name or ".mlp.0" in name):
        nn.init.uniform_(gain, 0.5, 1.0)  # equal values would be stored once, under one name
    export_onnx(model, tmp_path / "m.onnx", input_size=(64, 64), half_weights=half)
    again, spec = load_model(tmp_path / "m.onnx")
    assert spec.architecture == architecture
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(again.state_dict()[name], value, atol=2e-3 if half else 0), name


def test_half_weights_halve_the_file(tmp_path: Path) -> None:
    model = lively("rtmpose-t")
    sizes = []
    for half in (False, True):
        path = tmp_path / f"{half}.onnx"
        export_onnx(model, path, input_size=(64, 64), half_weights=half)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 0.55 * sizes[0]


def test_a_detector_graph_takes_other_sizes(tmp_path: Path) -> None:
    model = lively("rtmdet-nano")
    export_onnx(model, tmp_path / "m.onnx", input_size=(64, 64))
    wide = torch.randn(1, 3, 96, 160)
    found = run(tmp_path / "m.onnx", wide)
    with torch.no_grad():
        expected = model.predict(wide)  # type: ignore[operator]
    np.testing.assert_allclose(found["boxes"], expected[0], atol=1e-2)
    np.testing.assert_allclose(found["scores"], expected[1], atol=1e-4)


def test_a_detector_graph_may_end_in_nms(tmp_path: Path) -> None:
    export_onnx(lively("rtmdet-nano"), tmp_path / "m.onnx", input_size=(64, 64), nms=(0.4, 0.5))
    found = run(tmp_path / "m.onnx", images(2))
    rows = found["dets"]
    assert rows.shape[:2] == found["labels"].shape
    assert rows.shape[0] == 2
    assert (rows[..., 4] > 0.4).sum() > 5


def test_a_graph_that_differs_is_refused_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_distance", lambda *_: float("nan"))
    with pytest.raises(ModelError, match="the exported graph differs from PyTorch by nan"):
        export_onnx(lively("rtmpose-t"), tmp_path / "m.onnx", input_size=(64, 64))
    assert not (tmp_path / "m.onnx").exists()


def checkpoint(path: Path, model: nn.Module, **section: object) -> Path:
    content: dict[str, object] = {"state_dict": model.state_dict()}
    if section:
        content["recipe"] = {"model": section}
    torch.save(content, path)
    return path


@pytest.mark.parametrize("half", [False, True])
def test_an_exported_pose_model_loads_by_its_folder_and_answers_as_the_network(
    tmp_path: Path, half: bool
) -> None:
    model = lively("rtmpose-t")
    path = checkpoint(tmp_path / "a.pth", model)
    facts = {"licence": "of the test", "training_data": ("none",)}
    card = export_model(path, tmp_path / "mine", name="mine", half_weights=half, **facts)
    assert load_card(tmp_path / "mine" / "card.yaml") == card
    found = find(tmp_path / "mine", task="pose")
    assert found.card.skeleton == "coco"
    assert found.card.licence == "of the test"
    assert found.card.parameters == sum(p.numel() for p in model.parameters())

    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    boxes = np.array([[10, 10, 90, 110], [60, 20, 150, 100]], np.float32)
    poses = Estimator.load(tmp_path / "mine", threads=1)(image, boxes)
    transform = CropTransform.from_boxes(boxes, (64, 64))
    rgb = np.stack([transform.crop(image, i)[..., ::-1] for i in range(2)]).astype(np.float32)
    pixels = (rgb - card.input.mean) / card.input.std
    with torch.no_grad():
        x, y = model(torch.from_numpy(pixels.transpose(0, 3, 1, 2)).float())
    keypoints, scores = card.decoder().decode(x.numpy(), y.numpy())
    near = np.abs(poses.keypoints - transform.inverse(keypoints)).max(-1) < 4
    assert near.mean() > (0.8 if half else 0.97), "a tie between two bins may fall otherwise"
    np.testing.assert_allclose(poses.scores, scores, atol=0.05 if half else 1e-2)


def test_a_heatmap_network_runs_as_every_pose_model_does(tmp_path: Path) -> None:
    model = lively("cspnext-t")
    path = checkpoint(tmp_path / "a.pth", model, input_size=[64, 64], sigma=[1.5, 1.5])
    card = export_model(path, tmp_path / "heat", name="heat")
    assert (card.codec.kind, card.codec.sigma, card.skeleton) == ("heatmap", 1.5, "coco")
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    boxes = np.array([[10, 10, 90, 110]], np.float32)
    transform = CropTransform.from_boxes(boxes, (64, 64), udp=True)
    rgb = transform.crop(image, 0)[None, ..., ::-1].astype(np.float32)
    pixels = torch.from_numpy(((rgb - card.input.mean) / card.input.std).transpose(0, 3, 1, 2))
    with torch.no_grad():
        maps = model(pixels.float()).numpy()
    cells = maps.reshape(17, -1).argmax(axis=1)
    expected = np.stack([cells % 16, cells // 16], axis=1)[None] * np.float32(64 / 15)
    poses = Estimator.load(tmp_path / "heat", threads=1)(image, boxes)
    away = np.abs(poses.keypoints - transform.inverse(expected.astype(np.float32))).max(axis=-1)
    cell = transform.scales[0, 1] / 15
    assert (away < 1.01 * cell).mean() > 0.9, "within a cell of the peak, which may be a tie"
    assert poses.keypoints.shape == (1, 17, 2)
    bare = find(tmp_path / "heat" / "model.onnx").card
    assert bare.codec.kind == "heatmap"


def test_an_exported_detector_loads_by_its_folder_and_runs(tmp_path: Path) -> None:
    path = checkpoint(
        tmp_path / "a.pth", lively("rtmdet-nano"), input_size=[128, 96], skeleton="coco"
    )
    card = export_model(path, tmp_path / "det", name="det", thresholds={"detection": 0.4})
    assert card.input.size == (128, 96), "the recipe's, which the weights do not tell"
    detector = Detector.load(tmp_path / "det", threads=1)
    assert detector.threshold == 0.4
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8), (320, 240))
    assert np.isfinite(detector(image).boxes).all()
    small = export_model(path, tmp_path / "small", name="small", size=(64, 64))
    assert small.input.size == (64, 64)


def test_a_keypoint_set_of_ones_own_is_kept_in_the_card(tmp_path: Path) -> None:
    skeleton = tmp_path / "five.yaml"
    skeleton.write_text("keypoints: [a, b, c, d, e]\n")
    torch.manual_seed(0)
    model = build("rtmpose-t", input_size=(64, 64), num_keypoints=5)
    own = checkpoint(tmp_path / "own.pth", model, input_size=[64, 64], skeleton=str(skeleton))
    card = export_model(own, tmp_path / "own", name="own")
    assert card.skeleton == "five.yaml"
    skeleton.unlink()
    estimator = Estimator.load(tmp_path / "own", threads=1)
    assert (estimator.skeleton.name, len(estimator.skeleton)) == ("five", 5)
    with pytest.raises(ModelError, match="has 5 keypoints, which no known set has"):
        export_model(checkpoint(tmp_path / "b.pth", model), tmp_path / "b", name="b")


def test_seventeen_keypoints_of_animals_stay_those_of_animals(tmp_path: Path) -> None:
    path = checkpoint(
        tmp_path / "a.pth", lively("rtmpose-t"), input_size=[64, 64], skeleton="ap10k"
    )
    assert export_model(path, tmp_path / "m", name="m").skeleton == "ap10k"


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError) as caught:
        export_model(path, tmp_path / "m", name="m")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m").exists()
