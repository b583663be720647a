"""ONNX Runtime: one session a model, whose threads soon sleep when it has nothing to do.

The providers of GPUs are written against their documented interface and not yet run on hardware.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from posetrack.backends.cores import usable_cores
from posetrack.backends.onnx_header import read_header
from posetrack.backends.protocol import Array, TensorSpec
from posetrack.errors import BackendError, DeviceError, ModelError

_log = logging.getLogger(__name__)

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
OPENVINO_DEVICES = ("cpu", "gpu", "npu")
INSTALL = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "openvino": "onnxruntime-openvino",
    "directml": "onnxruntime-directml",
}
OPTIONS = ("optimize", "provider_options", "profile", "io_binding")

SPIN_US = 50
"""How long an idle worker waits awake for more work.

By default it spins for milliseconds: the workers of one session then take the cores from the next
(a detector and a pose network that alternate take twice as long) and from decoding and encoding.
Workers that sleep at once cost each run a wake-up for every operator.
"""

_STATE = ort.capi.onnxruntime_pybind11_state
_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    _STATE.Fail,
    _STATE.EPFail,
    _STATE.InvalidArgument,
    _STATE.InvalidGraph,
    _STATE.InvalidProtobuf,
    _STATE.NoModel,
    _STATE.NoSuchFile,
    _STATE.NotImplemented,
    _STATE.RuntimeException,
)
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}
_TYPES = {np.dtype(kind): name for name, kind in _DTYPES.items()}


class OnnxRuntimeBackend:
    """A session on one provider, which is really the one asked for."""

    kind = "onnxruntime"

    def __init__(
        self,
        model: Path,
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "fp32",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        settings = dict(options or {})
        unknown = sorted(set(settings) - set(OPTIONS))
        if unknown:
            raise BackendError(
                f"onnxruntime has no option {unknown[0]!r}: known are {', '.join(OPTIONS)}"
            )
        self.precision = read_header(model).precision
        if precision not in (self.precision, "fp32"):
            raise BackendError(
                f"precision {precision} asked, {model.name} computes in {self.precision} and "
                "onnxruntime keeps what the graph says: export the model in that precision"
            )
        session_options, self.threads = _session_options(threads, settings)
        provider, self.device = _choose(device, settings.get("provider_options"))
        self._session: Any = _open(model, session_options, provider, device)
        family, _, number = self.device.partition(":")
        on_gpu = family in ("cuda", "tensorrt")
        self._binding: _Binding | None = None
        if settings.get("io_binding", on_gpu):
            place = ("cuda", int(number)) if on_gpu else ("cpu", 0)
            self._binding = _Binding(self._session, *place)
        self.inputs = tuple(map(_spec, self._session.get_inputs()))
        self.outputs = tuple(map(_spec, self._session.get_outputs()))
        self._names = [spec.name for spec in self.outputs]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Raises BackendError where the graph cannot run on these inputs."""
        if self._session is None:
            raise BackendError("this model was closed: open it again")
        try:
            if self._binding is not None:
                values = self._binding.run(inputs, self._names)
            else:
                values = self._session.run(self._names, dict(inputs))
        except _ERRORS as error:
            raise BackendError(f"onnxruntime on {self.device}: {_first_line(error)}") from error
        return dict(zip(self._names, values, strict=True))

    def close(self) -> None:
        """Free the session."""
        self._session = self._binding = None


class _Binding:
    """Inputs in buffers on the device that are kept, outputs where the device makes them.

    `InferenceSession.run` allocates device memory for every input of every run; here one buffer an
    input and shape is filled again, and one copy brings all outputs back.
    """

    def __init__(self, session: Any, device: str, number: int) -> None:
        self._session, self._place = session, (device, number)
        self._buffers: dict[tuple[str, tuple[int, ...]], Any] = {}

    def run(self, inputs: Mapping[str, Array], names: list[str]) -> list[Array]:
        """Outputs in the order of `names`, on the host."""
        binding = self._session.io_binding()
        for name, value in inputs.items():
            key = name, value.shape
            buffer = self._buffers.get(key)
            if buffer is None or buffer.data_type() != _TYPES.get(value.dtype):
                buffer = ort.OrtValue.ortvalue_from_numpy(value, *self._place)
                self._buffers[key] = buffer
            else:
                buffer.update_inplace(np.ascontiguousarray(value))
            binding.bind_ortvalue_input(name, buffer)
        for name in names:
            binding.bind_output(name, *self._place)
        self._session.run_with_iobinding(binding)
        values: list[Array] = binding.copy_outputs_to_cpu()
        return values


def _session_options(threads: int | None, settings: Mapping[str, Any]) -> tuple[Any, int]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    optimize = settings.get("optimize", True)
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    if settings.get("profile"):
        options.enable_profiling = True
        options.profile_file_prefix = str(settings["profile"])
    size = threads or usable_cores()
    options.intra_op_num_threads = size
    options.inter_op_num_threads = 1
    if tuple(map(int, ort.__version__.split(".")[:2])) >= (1, 27):
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
    else:  # spins without limit or not at all
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options, size


def _choose(device: str, provider_options: Mapping[str, Any] | None) -> tuple[Any, str]:
    """(provider entry, device name); the device is refused where this build cannot offer it."""
    available = ort.get_available_providers()
    if device == "auto":
        device = "cuda" if PROVIDERS["cuda"] in available else "cpu"
        _log.info("device auto: onnxruntime offers %s, taking %s", ", ".join(available), device)
    family, _, number = device.lower().partition(":")
    plain = number.isdigit() or (family == "openvino" and number in OPENVINO_DEVICES)
    if family not in PROVIDERS or (number and not plain):
        known = ", ".join(PROVIDERS)
        raise DeviceError(f"device {device!r} asked of onnxruntime, which knows {known} (and auto)")
    provider = PROVIDERS[family]
    if provider not in available:
        fix = f"install {INSTALL[family]} in place of onnxruntime, or " if family in INSTALL else ""
        offered = ", ".join(name for name, p in PROVIDERS.items() if p in available)
        raise DeviceError(
            f"device {device!r} asked, onnxruntime {ort.__version__} here offers {offered}: "
            f"{fix}ask for one of these"
        )
    chosen = dict(provider_options or {})
    if family == "openvino":
        chosen.setdefault("device_type", (number or "cpu").upper())
        return (provider, chosen), f"openvino:{number or 'cpu'}"
    if family in ("cuda", "tensorrt", "directml"):
        chosen["device_id"] = number or "0"
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # finds the CUDA libraries that pip installed
        return (provider, chosen), f"{family}:{number or 0}"
    return (provider, chosen), family


def _open(model: Path, options: Any, provider: Any, asked: str) -> Any:
    try:
        session = ort.InferenceSession(str(model), options, providers=[provider], enable_fallback=0)
    except _ERRORS as error:
        message = _first_line(error)
        raise ModelError(f"{model} cannot be loaded by onnxruntime: {message}") from error
    got = session.get_providers()[0]
    if got != provider[0]:  # ONNX Runtime falls back with no more than a line in its log
        raise DeviceError(
            f"device {asked!r} asked, onnxruntime could only start {got}: check the driver and "
            "the CUDA libraries, or ask for device cpu"
        )
    return session


def _spec(value: Any) -> TensorSpec:
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in value.shape)
    return TensorSpec(value.name, shape, np.dtype(_DTYPES.get(value.type, np.float32)))


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
