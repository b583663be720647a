"""What the networks compute: against the reference, in training, folded and exported."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posetrack.backends import open_backend
from posetrack.backends.protocol import Backend
from posetrack.networks import build
from posetrack.networks.checkpoint import load_into, load_state
from posetrack.networks.layers import SPPBottleneck
from posetrack.networks.rtmdet import RTMDet


def flat(outputs: object) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    assert isinstance(outputs, tuple)
    return [tensor for part in outputs for tensor in flat(part)]


def lively(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The model with weights that keep every signal near 1, so that differences show."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan = module.weight[0].numel()
            nn.init.normal_(module.weight, std=fan**-0.5)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain average of the batches below
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    with torch.no_grad():
        model.train()
        model(torch.randn(shape))
    return model.eval()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "architecture", "size", "outputs"),
    [
        ("rtmpose-t-body17", "rtmpose-t", (192, 256), ["simcc_x", "simcc_y"]),
        (
            "rtmdet-nano-person",
            "rtmdet-nano",
            (320, 320),
            ["cls_0", "cls_1", "cls_2", "reg_0", "reg_1", "reg_2"],
        ),
    ],
)
def test_outputs_equal_those_of_the_reference_network(
    shared_dir: Path, name: str, architecture: str, size: tuple[int, int], outputs: list[str]
) -> None:
    folder = shared_dir / "reference" / "oracle"
    model = build(architecture, input_size=size).eval()
    load_into(model, load_state(folder / f"{name}.pt"))
    reference = np.load(folder / f"{name}.npz")
    with torch.inference_mode():
        ours = flat(model(torch.from_numpy(reference["input"])))
    for key, found in zip(outputs, ours, strict=True):
        expected = reference[key]
        spread = expected.max() - expected.min()
        assert np.abs(found.numpy() - expected).max() <= 1e-4 * spread, key


def test_pyramid_pooling_equals_windows_of_5_9_and_13_pixels() -> None:
    layer = SPPBottleneck(8).eval()
    x = torch.randn(1, 8, 7, 5)
    with torch.no_grad():
        start = layer.conv1(x)
        pools = [nn.functional.max_pool2d(start, k, 1, k // 2) for k in (5, 9, 13)]
        expected = layer.conv2(torch.cat([start, *pools], 1))
        assert torch.equal(layer(x), expected)


def test_a_fresh_detector_says_one_percent_everywhere() -> None:
    _, scores = build("rtmdet-nano", input_size=(320, 320)).eval().predict(torch.rand(1, 3, 64, 64))
    assert scores.shape == (1, 84, 1)
    assert torch.allclose(scores, torch.full_like(scores, 0.01), atol=1e-4)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_every_parameter_gets_a_finite_gradient(precision: torch.dtype) -> None:
    for name, size in (("rtmpose-t", (96, 128)), ("rtmdet-nano", (96, 128))):
        model = build(name, input_size=size).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        images = torch.randn(2, 3, 128, 96).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
            outputs = flat(model(images))
        sum((tensor.float() ** 2).mean() for tensor in outputs).backward()  # type: ignore[union-attr]
        for key, parameter in model.named_parameters():
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key


def test_simcc_logits_and_distances_stay_float32_under_autocast() -> None:
    pose = build("rtmpose-t", input_size=(96, 128)).eval()
    detector = build("rtmdet-nano", input_size=(96, 128)).eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert {t.dtype for t in pose(torch.zeros(1, 3, 128, 96))} == {torch.float32}
        assert {t.dtype for t in detector(torch.zeros(1, 3, 128, 96))[1]} == {torch.float32}


def test_a_tiny_network_learns_where_a_dot_is() -> None:
    torch.manual_seed(0)
    model = build("rtmpose-t", input_size=(64, 64), num_keypoints=1).train()
    spots = torch.tensor([[8, 40], [50, 12], [30, 30], [20, 56]])
    images = torch.zeros(4, 3, 64, 64)
    for image, (x, y) in zip(images, spots, strict=True):
        image[:, y - 2 : y + 3, x - 2 : x + 3] = 2.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(60):
        logits = model(images)
        loss = sum(
            nn.functional.cross_entropy(axis[:, 0], 2 * spots[:, i])
            for i, axis in enumerate(logits)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # without it, it depends on rounding
        optimizer.step()
    assert isinstance(loss, Tensor)
    assert loss.item() < 0.2 * math.log(128)


class Decoded(nn.Module):
    """A detector as it is exported: boxes and scores instead of maps."""

    def __init__(self, detector: RTMDet) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.detector.predict(images)


def onnx_graph(
    folder: Path, model: nn.Module, image: Tensor, axes: dict[int, str], outputs: list[str]
) -> Backend:
    path = folder / "graph.onnx"
    torch.onnx.export(
        model,
        (image,),
        path,
        dynamo=False,
        opset_version=17,
        input_names=["images"],
        output_names=outputs,
        dynamic_axes={"images": axes, **{name: {0: "batch"} for name in outputs}},
    )
    return open_backend("onnxruntime", path)


def assert_equal_outputs(model: nn.Module, graph: Backend, images: Tensor) -> None:
    with torch.inference_mode():
        expected = flat(model(images))
    found = graph.run({"images": images.numpy()})
    for ours, reference in zip(found.values(), expected, strict=True):
        assert ours.shape == tuple(reference.shape)
        spread = float(reference.max() - reference.min())
        assert np.abs(ours - reference.numpy()).max() <= 1e-4 * spread


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_exported_pose_network_equals_it_at_any_batch_size(tmp_path: Path) -> None:
    model = lively(build("rtmpose-t", input_size=(96, 128)), (16, 3, 128, 96))
    session = onnx_graph(
        tmp_path, model, torch.zeros(2, 3, 128, 96), {0: "batch"}, ["simcc_x", "simcc_y"]
    )
    for batch in (1, 3):
        assert_equal_outputs(model, session, torch.randn(batch, 3, 128, 96))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("size", ["nano", "m"])
def test_an_exported_detector_equals_it_at_any_batch_and_image_size(
    size: str, tmp_path: Path
) -> None:
    detector = lively(RTMDet(size), (16, 3, 128, 128))
    assert isinstance(detector, RTMDet)
    model = Decoded(detector).eval()
    axes = {0: "batch", 2: "height", 3: "width"}
    session = onnx_graph(tmp_path, model, torch.zeros(2, 3, 64, 64), axes, ["boxes", "scores"])
    for shape in ((1, 3, 64, 96), (3, 3, 128, 64)):
        assert_equal_outputs(model, session, torch.randn(shape))
