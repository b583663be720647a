"""PyTorch: an official or own .pth checkpoint run as it is, under the names of the ONNX graphs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from posetrack.backends.protocol import Array, TensorSpec
from posetrack.errors import BackendError, DeviceError, ModelError
from posetrack.networks.checkpoint import Spec, load_model
from posetrack.networks.heatmap import STRIDE, HeatmapPose
from posetrack.networks.rtmdet import RTMDet
from posetrack.networks.rtmw import RTMW

_log = logging.getLogger(__name__)

OPTIONS = ("compile", "channels_last", "cuda_graphs")
WARM_UPS = 3
"""Runs before a CUDA graph is captured, as PyTorch's documentation has it."""
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TorchBackend:
    """A network in eval mode on one device. `threads` holds for the whole process."""

    kind = "torch"

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
                f"torch has no option {unknown[0]!r}: known are {', '.join(OPTIONS)}"
            )
        if model.suffix not in {".pth", ".pt", ".ckpt"}:
            raise ModelError(f"{model.name} asked of torch, which runs .pth checkpoints: use ort")
        self.device = _choose(device)
        self.precision = _precision(precision, self.device)
        if threads is not None:
            torch.set_num_threads(threads)
        network, spec = load_model(model)
        layout = torch.channels_last if settings.get("channels_last", True) else None
        self._layout = layout or torch.contiguous_format
        half = _AUTOCAST.get(self.precision)
        if half is not None:  # else every run casts every weight again
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(half)
        self._network: Any = network.to(device=self.device, memory_format=self._layout)  # type: ignore[call-overload]
        self._forward: Any = network.predict if isinstance(network, RTMDet) else network
        if settings.get("compile"):
            self._forward = torch.compile(self._forward)
        self._captured = bool(settings.get("cuda_graphs"))
        if self._captured:
            if not self.device.startswith("cuda"):
                raise BackendError(f"cuda_graphs asked of torch on {self.device}: ask for cuda")
            if settings.get("compile"):
                raise BackendError("compile and cuda_graphs asked of torch: choose one")
            self._forward = _Captured(self._forward)
        self.inputs, self.outputs = _specs(network, spec)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Raises BackendError where the network cannot run on these inputs."""
        name = self.inputs[0].name
        if set(inputs) != {name}:
            raise BackendError(f"torch takes one input, {name!r}, got {sorted(inputs)}")
        values = self.infer(torch.from_numpy(np.ascontiguousarray(inputs[name])))
        arrays = (value.cpu().numpy() for value in values)
        return dict(zip((spec.name for spec in self.outputs), arrays, strict=True))

    def infer(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What `run` gives, left on the device, float32; the next call may overwrite it.

        Args:
            batch: the input, on any device.
        """
        if self._network is None:
            raise BackendError("this model was closed: open it again")
        batch = batch.to(device=self.device, memory_format=self._layout)
        family = self.device.partition(":")[0]
        half = _AUTOCAST.get(self.precision)
        try:
            with (
                torch.inference_mode(),
                torch.autocast(
                    # A cast weight that is kept would be gone when a captured graph is run again.
                    family,
                    half,
                    enabled=half is not None,
                    cache_enabled=not self._captured,
                ),
            ):
                values = self._forward(batch)
        except RuntimeError as error:
            text = " ".join(str(error).split())[:300]
            raise BackendError(f"torch on {self.device}: {text}") from error
        if isinstance(values, torch.Tensor):
            values = (values,)
        return tuple(value.float() for value in values)

    def close(self) -> None:
        """Free the network and its device memory."""
        self._network = self._forward = None
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


class _Captured:
    """A network whose kernels are launched as one CUDA graph, captured for each shape of input.

    Small networks spend most of their time on launches. Not yet run on hardware.
    """

    def __init__(self, forward: Any) -> None:
        self._forward = forward
        self._graphs: dict[tuple[int, ...], tuple[Any, torch.Tensor, Any]] = {}

    def __call__(self, batch: torch.Tensor) -> Any:
        """What the network answers; overwritten by the next call with this shape."""
        shape = tuple(batch.shape)
        if shape not in self._graphs:
            self._graphs[shape] = self._capture(batch)
        graph, static, answer = self._graphs[shape]
        static.copy_(batch)
        with torch.cuda.device(batch.device):
            graph.replay()
        return answer

    def _capture(self, batch: torch.Tensor) -> tuple[Any, torch.Tensor, Any]:
        static = batch.clone(memory_format=torch.preserve_format)
        beside = torch.cuda.Stream(batch.device)  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream(batch.device))
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                self._forward(static)
        torch.cuda.current_stream(batch.device).wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        # Another thread may run another network meanwhile, which is no part of this graph.
        mode = "thread_local"
        with (
            torch.cuda.device(batch.device),
            torch.cuda.graph(graph, capture_error_mode=mode),
        ):
            answer = self._forward(static)
        return graph, static, answer


def _choose(device: str) -> str:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        _log.info("device auto: torch takes %s", device)
    family, _, number = device.lower().partition(":")
    if family == "cpu" and not number:
        return "cpu"
    if family == "mps" and torch.backends.mps.is_available():
        return "mps"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if family == "cuda" and (number or "0").isdigit() and int(number or 0) < count:
        return f"cuda:{number or 0}"
    offered = ", ".join(["cpu", *(f"cuda:{i}" for i in range(count))])
    raise DeviceError(
        f"device {device!r} asked, torch {torch.__version__} here offers {offered}: ask for one "
        "of these, or install a build of torch for your GPU"
    )


def _precision(precision: str, device: str) -> str:
    if precision == "int8" or (precision == "fp16" and device == "cpu"):
        raise BackendError(
            f"precision {precision} asked, torch on {device} cannot: use fp32 or bf16"
        )
    return precision


def _specs(network: nn.Module, spec: Spec) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs, named as in the exported graphs."""
    real = np.dtype(np.float32)
    width, height = spec.input_size
    if isinstance(network, RTMDet):
        inputs = (TensorSpec("input", (None, 3, None, None), real),)
        boxes = TensorSpec("boxes", (None, None, 4), real)
        return inputs, (boxes, TensorSpec("scores", (None, None, spec.num_classes), real))
    inputs = (TensorSpec("input", (None, 3, height, width), real),)
    count = spec.num_keypoints
    if isinstance(network, HeatmapPose):
        shape = (None, count, height // STRIDE, width // STRIDE)
        return inputs, (TensorSpec("heatmaps", shape, real),)
    bins = {"simcc_x": 2 * width, "simcc_y": 2 * height}
    if isinstance(network, RTMW) and network.depth is not None:
        bins["simcc_z"] = 2 * network.depth
    return inputs, tuple(TensorSpec(name, (None, count, n), real) for name, n in bins.items())
