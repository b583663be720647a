"""OpenVINO, where it is installed: fp32 means fp32."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import onnx
import pytest

from posetrack import zoo
from posetrack.backends import open_backend
from posetrack.errors import BackendError, DeviceError, DownloadError, ModelError
from posetrack.estimator import Estimator
from posetrack.export.job import Plan, export
from posetrack.export.parity import TOLERANCES

ov = pytest.importorskip("openvino")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.brightest_pixel(tmp_path / "model.onnx", keypoints=5, size=(32, 64))


def test_it_says_where_and_in_which_precision_it_runs(model: Path) -> None:
    backend = open_backend("openvino", model)
    assert (backend.kind, backend.device, backend.precision) == ("openvino", "cpu", "fp32")
    assert backend.inputs[0].shape == (None, 3, 64, 32)
    assert [spec.name for spec in backend.outputs] == ["simcc_x", "simcc_y"]


@pytest.mark.parametrize("count", [1, 4, 2])
def test_any_batch_size_runs(count: int, model: Path) -> None:
    outputs = open_backend("openvino", model).run(
        {"input": np.zeros((count, 3, 64, 32), np.float32)}
    )
    assert outputs["simcc_y"].shape == (count, 5, 128)


def test_outputs_are_not_overwritten_by_the_next_run(model: Path) -> None:
    backend = open_backend("openvino", model)
    first = backend.run({"input": np.ones((1, 3, 64, 32), np.float32)})["simcc_x"]
    before = first.copy()
    backend.run({"input": np.full((1, 3, 64, 32), 5, np.float32)})
    np.testing.assert_array_equal(first, before)


def test_a_missing_device_is_refused(model: Path) -> None:
    with pytest.raises(DeviceError, match="device 'gpu:7' asked, openvino here offers cpu"):
        open_backend("openvino", model, device="gpu:7")


def test_a_corrupt_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"bad\.onnx is not an ONNX graph"):
        open_backend("openvino", path)


def test_a_wrong_input_is_one_line(model: Path) -> None:
    backend = open_backend("openvino", model)
    with pytest.raises(BackendError, match="openvino on cpu: ") as caught:
        backend.run({"other": np.zeros((1, 3, 64, 32), np.float32)})
    assert "\n" not in str(caught.value)


def test_a_precision_is_what_was_asked_for_or_refused(model: Path) -> None:
    """Left alone OpenVINO computes in bf16 on CPUs that have it."""
    batch = np.random.default_rng(0).normal(size=(1, 3, 64, 32)).astype(np.float32)
    exact = open_backend("onnxruntime", model).run({"input": batch})["simcc_x"]
    full = open_backend("openvino", model, precision="fp32")
    hint = full._compiled.get_property("INFERENCE_PRECISION_HINT")  # type: ignore[attr-defined]
    assert "float32" in str(hint) or "f32" in str(hint)
    np.testing.assert_allclose(full.run({"input": batch})["simcc_x"], exact, atol=1e-6)
    if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert open_backend("openvino", model, precision="bf16").precision == "bf16"
    else:
        with pytest.raises(BackendError, match="this device computes in fp32"):
            open_backend("openvino", model, precision="bf16")
    with pytest.raises(BackendError, match="int8 asked, the graph is not quantised"):
        open_backend("openvino", model, precision="int8")


def test_an_exported_folder_runs_with_everything_inside(tmp_path: Path) -> None:
    plan = Plan(target="openvino", precision="fp16", fold="all")
    card, parity = export(zoo.find(task="pose"), tmp_path, plan, name="ov")
    assert parity.within(TOLERANCES["fp16"])
    assert [file.format for file in card.files] == ["openvino", "weights"]
    estimator = Estimator.load(tmp_path, backend="openvino", threads=1)
    assert estimator.backend.inputs[0].dtype == np.uint8
    with pytest.raises(DownloadError, match="cannot be used as onnx"):
        Estimator.load(tmp_path)
    with pytest.raises(ModelError, match="is openvino, this backend runs onnx"):
        zoo.find(tmp_path / "model.xml")
    (tmp_path / "model.bin").unlink()
    with pytest.raises(ModelError, match=r"no model\.bin beside it"):
        open_backend("openvino", tmp_path / "model.xml")


def test_outputs_keep_the_names_of_the_file_when_operators_before_them_vanish(
    tmp_path: Path,
) -> None:
    """A cast to the type that is there already: the compiled port then has two names."""
    path = graphs.fixed_outputs(tmp_path / "m.onnx", {"raw": np.ones((1, 2), np.float32)}, (4, 4))
    model = onnx.load(path)
    node = onnx.helper.make_node("Cast", ["raw"], ["scores"], to=onnx.TensorProto.FLOAT)
    last = onnx.helper.make_node("Identity", ["scores"], ["named"])
    model.graph.node.extend([node, last])
    model.graph.output[0].name = "named"
    onnx.save(model, path)
    assert [spec.name for spec in open_backend("openvino", path).outputs] == ["named"]
