"""OpenVINO: Intel's runtime, the fastest fp32 and bf16 on most x86 CPUs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from posetrack.backends.onnx_header import read_header
from posetrack.backends.protocol import Array, TensorSpec
from posetrack.errors import BackendError, DeviceError, ModelError

_log = logging.getLogger(__name__)
_compiling = threading.Lock()

HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


@cache
def _core() -> Any:
    """One core a process: its compiled models share one thread pool."""
    return ov.Core()


class OpenVinoBackend:
    """A compiled model on one device.

    Without a hint OpenVINO computes in bf16 wherever the CPU has it; here `precision` decides and
    the compiled model is asked what it really does.
    """

    kind = "openvino"

    def __init__(
        self,
        model: Path,
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "fp32",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if model.suffix == ".onnx":
            read_header(model)  # names a corrupt file in one line, which OpenVINO does not
        name, self.device = _choose(device)
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        # int8 is a property of the graph; what is not quantised in it is computed in fp32.
        settings["INFERENCE_PRECISION_HINT"] = HINTS.get(precision, "f32")
        if threads is not None and name == "CPU":
            settings["INFERENCE_NUM_THREADS"] = threads
        settings |= {str(key): value for key, value in (options or {}).items()}
        graph = _read(model)
        self._compiled = _compile(graph, model, name, settings)
        self.precision = _precision(self._compiled, precision, quantised=_quantised(graph))
        self._request: Any = self._compiled.create_infer_request()
        self.inputs = tuple(map(_spec, self._compiled.inputs, graph.inputs))
        self.outputs = tuple(map(_spec, self._compiled.outputs, graph.outputs))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Raises BackendError where the graph cannot run on these inputs."""
        if self._request is None:
            raise BackendError("this model was closed: open it again")
        try:
            values = self._request.infer(dict(inputs), share_inputs=True)
        except (RuntimeError, ValueError, TypeError) as error:
            text = " ".join(str(error).split())[:300]
            raise BackendError(f"openvino on {self.device}: {text}") from error
        # Copies: the request's own buffers are overwritten by the next run.
        return {
            spec.name: np.array(values[port])
            for spec, port in zip(self.outputs, self._compiled.outputs, strict=True)
        }

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None
        self._compiled = None


def _choose(device: str) -> tuple[str, str]:
    """(OpenVINO's device name, ours); refused where it is not among the available ones."""
    available = _core().available_devices
    if device == "auto":
        device = next((d for d in available if d.startswith("GPU")), "CPU").lower()
        _log.info("device auto: openvino offers %s, taking %s", ", ".join(available), device)
    wanted = device.upper().replace(":", ".")
    if wanted not in available and f"{wanted}.0" not in available:
        raise DeviceError(
            f"device {device!r} asked, openvino here offers {', '.join(available).lower()}: ask "
            "for one of these"
        )
    return wanted, device.lower()


def _read(model: Path) -> Any:
    if model.suffix == ".xml" and not model.with_suffix(".bin").is_file():
        raise ModelError(f"{model} has no {model.stem}.bin beside it: copy both files")
    try:
        with _compiling:
            return _core().read_model(str(model))
    except (RuntimeError, ValueError, TypeError) as error:
        raise _unreadable(model, error) from error


def _compile(graph: Any, model: Path, device: str, settings: Mapping[str, Any]) -> Any:
    try:
        with _compiling:
            return _core().compile_model(graph, device, dict(settings))
    except (RuntimeError, ValueError, TypeError) as error:
        raise _unreadable(model, error) from error


def _unreadable(model: Path, error: Exception) -> ModelError:
    text = " ".join(str(error).split())[-300:]
    return ModelError(f"{model} cannot be loaded by openvino: {text}")


def _quantised(graph: Any) -> bool:
    return any(operation.get_type_name() == "FakeQuantize" for operation in graph.get_ops())


def _precision(compiled: Any, asked: str, *, quantised: bool) -> str:
    """What the compiled model computes in; refused where that is not what was asked for."""
    if asked == "int8" and not quantised:
        raise BackendError(
            "precision int8 asked, the graph is not quantised: posetrack export --precision int8"
        )
    if quantised and asked in ("int8", "fp32"):
        return "int8"
    hint = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
    for name, element in (("fp32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")):
        if element in hint or hint == HINTS[name]:
            if name != asked:
                raise BackendError(
                    f"precision {asked} asked, this device computes in {name}: ask for {name}"
                )
            return name
    return asked


def _spec(port: Any, declared: Any) -> TensorSpec:
    """Of an input or output, named as the file does: a compiled one may have gained other names."""
    shape = tuple(
        side.get_length() if side.is_static else None for side in port.get_partial_shape()
    )
    return TensorSpec(declared.get_any_name(), shape, np.dtype(port.get_element_type().to_dtype()))
