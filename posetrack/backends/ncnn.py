"""ncnn: Tencent's small runtime, made for phones and ARM boards, without dependencies.

A model is two files, ``NAME.param`` (text) and ``NAME.bin`` beside it, made by `posetrack export`:
the text then names inputs and outputs as the ONNX graph did and says the input's shape. ncnn knows
no batches, so the rows of one are run in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from posetrack.backends.cores import usable_cores
from posetrack.backends.protocol import Array, TensorSpec
from posetrack.errors import BackendError, DeviceError, ModelError

_SIDES = ("0", "1", "2")  # of an Input layer: width, height, channels


class NcnnBackend:
    """A network on the CPU, or on a GPU through Vulkan."""

    kind = "ncnn"

    def __init__(
        self,
        model: Path,
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "fp32",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if options:
            raise BackendError(f"ncnn has no option {min(options)!r}: it knows none")
        self.device, number = _choose(device)
        self.precision = precision
        self._net: Any = ncnn.Net()
        _set(self._net.opt, precision, threads or usable_cores(), gpu=number is not None)
        if number is not None:
            self._net.set_vulkan_device(number)
        weights = model.with_suffix(".bin")
        if not weights.is_file():
            raise ModelError(f"{model} has no {weights.name} beside it: copy both files")
        self.inputs = (_input(model),)
        if self._net.load_param(str(model)) or self._net.load_model(str(weights)):
            raise ModelError(f"{model} cannot be loaded by ncnn {ncnn.__version__}: export again")
        names = self._net.output_names()
        try:
            once = self._row(np.zeros(_known(self.inputs[0]), np.float32), names)
        except BackendError as error:
            raise ModelError(f"{model} cannot be run by ncnn: {error}") from error
        self.outputs = tuple(
            TensorSpec(name, (None, *value.shape), value.dtype)
            for name, value in zip(names, once, strict=True)
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Raises BackendError where the graph cannot run on these inputs."""
        if self._net is None:
            raise BackendError("this model was closed: open it again")
        (wanted,) = self.inputs
        batch = inputs.get(wanted.name)
        if set(inputs) != {wanted.name} or batch is None or batch.shape[1:] != wanted.shape[1:]:
            found = {name: value.shape for name, value in inputs.items()}
            raise BackendError(f"ncnn takes {wanted.name} {wanted.shape}, got {found}")
        names = [spec.name for spec in self.outputs]
        rows = [self._row(row, names) for row in np.ascontiguousarray(batch, np.float32)]
        return {
            spec.name: np.stack([row[index] for row in rows])
            if rows
            else np.empty((0, *_known(spec)), spec.dtype)
            for index, spec in enumerate(self.outputs)
        }

    def close(self) -> None:
        """Free the network."""
        self._net = None

    def _row(self, row: Array, names: list[str]) -> list[Array]:
        extractor = self._net.create_extractor()
        # A copy: operators that work in place would otherwise write into the array of the caller.
        if extractor.input(self.inputs[0].name, ncnn.Mat(row).clone()):
            raise BackendError(f"ncnn on {self.device} refused an input of {row.shape}")
        values = []
        for name in names:
            code, value = extractor.extract(name)
            if code:
                raise BackendError(f"ncnn on {self.device} could not compute {name} ({code})")
            values.append(np.array(value))  # a copy: the extractor owns the other
        return values


def _choose(device: str) -> tuple[str, int | None]:
    """(device name, number of the Vulkan GPU or None); refused where it is not there."""
    if device == "cpu":
        return "cpu", None
    count = ncnn.get_gpu_count()  # looks for Vulkan, and complains on stderr where there is none
    if device == "auto":
        device = "vulkan" if count else "cpu"
    family, _, number = device.lower().partition(":")
    if family == "cpu" and not number:
        return "cpu", None
    if family == "vulkan" and (number or "0").isdigit() and int(number or 0) < count:
        return f"vulkan:{number or 0}", int(number or 0)
    offered = ", ".join(["cpu", *(f"vulkan:{i}" for i in range(count))])
    raise DeviceError(f"device {device!r} asked, ncnn here offers {offered}: ask for one of these")


def _set(options: Any, precision: str, threads: int, *, gpu: bool) -> None:
    if precision == "int8":
        raise BackendError("precision int8 asked of ncnn, whose int8 this version does not make")
    half = precision == "fp16"
    options.num_threads = threads
    options.openmp_blocktime = 0  # idle workers sleep: the cores are needed for decoding, drawing
    options.use_vulkan_compute = gpu
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_packed = options.use_bf16_storage = precision == "bf16"


def _input(model: Path) -> TensorSpec:
    """The one input as the Input layer says it: ``Input NAME 0 1 NAME 0=W 1=H 2=C``."""
    try:
        lines = model.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{model} is no .param file of ncnn: {error}") from error
    layers = [line.split() for line in lines if line.startswith("Input ")]
    if len(layers) != 1:
        raise ModelError(f"{model} has {len(layers)} inputs: one is expected")
    name, values = layers[0][4], dict(word.split("=", 1) for word in layers[0][5:])
    if not all(values.get(key, "").isdigit() for key in _SIDES):
        raise ModelError(f"{model} does not say its input's shape: convert with posetrack export")
    width, height, channels = (int(values[key]) for key in _SIDES)
    return TensorSpec(name, (None, channels, height, width), np.dtype(np.float32))


def _known(spec: TensorSpec) -> list[int]:
    return [side or 0 for side in spec.shape[1:]]
