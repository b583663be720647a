"""ONNX Runtime: real devices, quiet threads, one-line errors."""

from __future__ import annotations

import logging
from pathlib import Path

import graphs
import numpy as np
import onnxruntime as ort
import pytest

from posetrack.backends import open_backend
from posetrack.errors import BackendError, DeviceError, ModelError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.brightest_pixel(tmp_path / "model.onnx", keypoints=5, size=(32, 64))


def test_specs_tell_names_shapes_and_dynamic_axes(model: Path) -> None:
    backend = open_backend("ort", model)
    (only,) = backend.inputs
    assert (only.name, only.shape, only.dtype) == ("input", (None, 3, 64, 32), np.float32)
    assert [spec.shape for spec in backend.outputs] == [(None, 5, 64), (None, 5, 128)]
    assert (backend.device, backend.precision) == ("cpu", "fp32")


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_batch_size_runs(count: int, model: Path) -> None:
    outputs = open_backend("ort", model).run({"input": np.zeros((count, 3, 64, 32), np.float32)})
    assert outputs["simcc_x"].shape == (count, 5, 64)


def test_a_wrong_input_is_one_line(model: Path) -> None:
    backend = open_backend("ort", model)
    for bad in (
        {"other": np.zeros((1, 3, 64, 32), np.float32)},
        {"input": np.zeros((1, 3, 64, 32))},
    ):
        with pytest.raises(BackendError, match="onnxruntime on cpu: ") as caught:
            backend.run(bad)
        assert "\n" not in str(caught.value)


def test_a_closed_model_says_so(model: Path) -> None:
    backend = open_backend("ort", model)
    backend.close()
    with pytest.raises(BackendError, match="was closed"):
        backend.run({})


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x08" * 50])
def test_a_file_that_is_no_graph_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx") as caught:
        open_backend("ort", path)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(model: Path, tmp_path: Path) -> None:
    whole = model.read_bytes()
    for length in range(1, len(whole), max(1, len(whole) // 40)):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.onnx"):
            open_backend("ort", path)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in ort.get_available_providers(), reason="this build has CUDA"
)
def test_cuda_is_refused_where_this_build_has_none(model: Path) -> None:
    with pytest.raises(DeviceError, match=r"'cuda' asked.* here offers .*cpu.*onnxruntime-gpu"):
        open_backend("ort", model, device="cuda")


def test_a_provider_that_falls_back_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime lists CUDA, then starts the CPU instead: what happens without a driver."""
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)
    real = ort.InferenceSession

    def session(path: str, options: object, *, providers: object, **rest: object) -> object:
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", session)
    with pytest.raises(DeviceError, match="'cuda:1' asked, onnxruntime could only start CPU"):
        open_backend("ort", model, device="cuda:1")


def test_an_unknown_device_is_refused(model: Path) -> None:
    with pytest.raises(DeviceError, match="device 'gpu7' asked of onnxruntime, which knows cpu"):
        open_backend("ort", model, device="gpu7")


def test_auto_chooses_a_device_and_says_which(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    backend = open_backend("ort", model, device="auto")
    assert backend.device in {"cpu", "cuda:0"}
    assert "device auto" in caplog.text


def test_a_precision_that_the_graph_lacks_is_refused(model: Path) -> None:
    with pytest.raises(BackendError, match=r"precision bf16 asked, model\.onnx computes in fp32"):
        open_backend("ort", model, precision="bf16")


def test_an_unknown_option_is_refused(model: Path) -> None:
    with pytest.raises(BackendError, match="no option 'fast': known are"):
        open_backend("ort", model, options={"fast": True})


def test_each_model_has_threads_of_its_own_that_soon_sleep(model: Path) -> None:
    backends = [open_backend("ort", model, threads=count) for count in (1, 2)]
    assert [backend.threads for backend in backends] == [1, 2]
    for backend in backends:
        options = backend._session.get_session_options()  # type: ignore[attr-defined]
        assert options.intra_op_num_threads == backend.threads
        assert options.get_session_config_entry("session.intra_op.spin_duration_us") == "50"


@pytest.mark.parametrize("count", [1, 3])
def test_bound_inputs_and_outputs_answer_as_a_plain_run(count: int, model: Path) -> None:
    plain, bound = open_backend("ort", model), open_backend("ort", model, options={"io_binding": 1})
    for seed in range(3):  # buffers are filled again
        batch = np.random.default_rng(seed).normal(size=(count, 3, 64, 32)).astype(np.float32)
        expected, found = plain.run({"input": batch}), bound.run({"input": batch})
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)


def test_a_gpu_is_bound_and_told_its_number(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is passed to ONNX Runtime for CUDA, seen where a CPU stands in for it."""
    asked: dict[str, object] = {}
    real = ort.InferenceSession

    class Session(real):  # type: ignore[misc, valid-type]
        def __init__(self, path: str, options: object, *, providers: list, **rest: object) -> None:
            asked["providers"] = providers
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

        def io_binding(self) -> object:
            asked["bound"] = True
            return super().io_binding()

    def on_cpu(value: np.ndarray, device: str, number: int) -> object:
        asked["input"] = device, number
        return ort.OrtValue(ort.capi.onnxruntime_pybind11_state.OrtValue.ortvalue_from_numpy(
            value, ort.OrtDevice.make("cpu", 0)._get_c_device()), value)  # fmt: skip

    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(ort, "InferenceSession", Session)
    monkeypatch.setattr(ort.OrtValue, "ortvalue_from_numpy", staticmethod(on_cpu))
    monkeypatch.setattr(
        ort.IOBinding,
        "bind_output",
        lambda self, name, device, number: (
            asked.update(output=(device, number)),
            self._iobinding.bind_output(name, ort.OrtDevice.make("cpu", 0)._get_c_device()),
        ),
    )
    backend = open_backend("ort", model, device="cuda:1")
    outputs = backend.run({"input": np.zeros((2, 3, 64, 32), np.float32)})
    assert outputs["simcc_x"].shape == (2, 5, 64)
    assert asked["providers"] == [("CUDAExecutionProvider", {"device_id": "1"})]
    assert (asked["bound"], asked["input"], asked["output"]) == (True, ("cuda", 1), ("cuda", 1))


def test_the_openvino_provider_is_told_its_device(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeviceError, match="install onnxruntime-openvino in place of onnxruntime"):
        open_backend("ort", model, device="openvino")
    with pytest.raises(DeviceError, match="'openvino:tpu' asked of onnxruntime"):
        open_backend("ort", model, device="openvino:tpu")
