"""The torch backend: a checkpoint run as it is, under the names of the ONNX graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posetrack.backends import open_backend  # noqa: E402
from posetrack.errors import BackendError, DeviceError, ModelError  # noqa: E402
from posetrack.networks import build  # noqa: E402
from posetrack.networks.checkpoint import load_model  # noqa: E402
from posetrack.training.export import export_onnx  # noqa: E402


@pytest.fixture(scope="module")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("pose") / "pose.pth"
    network = build("rtmpose-t", input_size=(64, 64), num_keypoints=5)
    torch.save({"state_dict": network.state_dict()}, path)
    return path


def test_a_pose_checkpoint_gives_both_simcc_lines(pose: Path) -> None:
    backend = open_backend("torch", pose)
    assert backend.inputs[0].shape == (None, 3, 64, 64)
    outputs = backend.run({"input": np.zeros((2, 3, 64, 64), np.float32)})
    assert {name: value.shape for name, value in outputs.items()} == {
        "simcc_x": (2, 5, 128),
        "simcc_y": (2, 5, 128),
    }


def test_a_detector_checkpoint_gives_decoded_boxes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "det.pth"
    network = build("rtmdet-nano", input_size=(64, 64), num_classes=2)
    torch.save({"state_dict": network.state_dict()}, path)
    outputs = open_backend("torch", path).run({"input": np.zeros((1, 3, 64, 96), np.float32)})
    anchors = 8 * 12 + 4 * 6 + 2 * 3
    assert outputs["boxes"].shape == (1, anchors, 4)
    assert outputs["scores"].shape == (1, anchors, 2)


def test_a_heatmap_checkpoint_answers_as_its_exported_graph(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "heat.pth"
    network = build("cspnext-t", input_size=(192, 256), num_keypoints=5)
    with torch.no_grad():
        for parameter in network.parameters():  # the head's own start is too small to compare
            parameter += 0.02 * torch.randn_like(parameter)
    torch.save({"state_dict": network.state_dict()}, path)
    export_onnx(network, tmp_path / "heat.onnx", input_size=(192, 256))
    runs = open_backend("torch", path), open_backend("onnxruntime", tmp_path / "heat.onnx")
    specs, expected = ([*b.inputs, *b.outputs] for b in runs)
    assert [(s.name, s.shape, s.dtype) for s in specs] == [
        (s.name, s.shape, s.dtype) for s in expected
    ]
    assert specs[1].shape == (None, 5, 64, 48)
    crops = np.random.default_rng(0).normal(size=(2, 3, 256, 192)).astype(np.float32)
    maps, wanted = (b.run({"input": crops})["heatmaps"] for b in runs)
    assert wanted.std() > 0.01
    np.testing.assert_allclose(maps, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def test_weights_kept_in_half_give_what_casting_them_in_every_run_gives(pose: Path) -> None:
    backend = open_backend("torch", pose, precision="bf16")
    crops = torch.randn(2, 3, 64, 64)
    network = load_model(pose)[0].to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        wanted = network(crops.to(memory_format=torch.channels_last))
    found = backend.infer(crops)
    assert [value.dtype for value in found] == [torch.float32] * 2
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs.float(), rtol=0, atol=0)


def test_an_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"x")
    with pytest.raises(ModelError, match=r"m\.onnx asked of torch, which runs \.pth"):
        open_backend("torch", path)


def test_a_missing_device_is_refused(pose: Path) -> None:
    with pytest.raises(DeviceError, match=r"device 'cuda:99' asked, torch .* here offers cpu"):
        open_backend("torch", pose, device="cuda:99")


def test_a_wrong_shape_is_one_line(pose: Path) -> None:
    with pytest.raises(BackendError, match="torch on cpu: ") as caught:
        open_backend("torch", pose).run({"input": np.zeros((1, 3, 128, 64), np.float32)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [({"cuda_graphs": True}, "cuda_graphs asked of torch on cpu"), ({"fast": 1}, "no option")],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, object], text: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.pth"
    torch.save({"state_dict": build("rtmpose-t", input_size=(64, 64)).state_dict()}, path)
    with pytest.raises(BackendError, match=text):
        open_backend("torch", path, options=options)
