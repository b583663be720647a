"""TensorRT 10 and 11: an engine built from the ONNX graph, strongly typed.

Written against the documented interface; not yet run on hardware.

What is computed in which precision is what the graph says (`posetrack export --precision fp16`):
TensorRT 11 knows nothing else, and of 10 the same is asked. An engine has one profile for each of
`BATCHES`, tuned to that many rows; a batch takes the smallest that holds it, a larger one is split.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorrt as trt

from posetrack.backends.cuda import DeviceMemory, open_memory
from posetrack.backends.engines import engine_path, engines_cache, load_or_build
from posetrack.backends.onnx_header import read_header
from posetrack.backends.protocol import Array
from posetrack.errors import BackendError, DeviceError, ModelError

_log = logging.getLogger(__name__)

BATCHES = (1, 8, 32)
OPTIONS = ("cache", "workspace_mb")
WORKSPACE_MB = 1024

_Row = tuple[int, ...]


class TensorRtBackend:
    """Engines of one graph on one GPU, built at once or, where its sides are free, at first use.

    Attributes:
        built: whether an engine was built by this object and is not proven yet, see `discard`.
    """

    kind = "tensorrt"

    def __init__(
        self,
        model: Path,
        *,
        device: str = "cuda",
        threads: int | None = None,  # noqa: ARG002 - of a CPU
        precision: str = "fp32",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        settings = dict(options or {})
        unknown = sorted(set(settings) - set(OPTIONS))
        if unknown:
            raise BackendError(
                f"tensorrt has no option {unknown[0]!r}: known are {', '.join(OPTIONS)}"
            )
        header = read_header(model)
        self.precision = header.precision
        if precision not in (self.precision, "fp32"):
            raise BackendError(
                f"precision {precision} asked, {model.name} computes in {self.precision} and "
                "networks are strongly typed: posetrack export --precision " + precision
            )
        number = _choose(device)
        self.device, self.built = f"cuda:{number}", False
        self.inputs, self.outputs = header.inputs, header.outputs
        if len(self.inputs) != 1 or not self.inputs[0].shape:
            raise ModelError(f"{model} has {len(self.inputs)} inputs: one batch is expected")
        self._model, self._log = model, _Log()
        self._folder = Path(settings.get("cache") or engines_cache())
        self._workspace = int(settings.get("workspace_mb", WORKSPACE_MB)) << 20
        self._memory: DeviceMemory | None = open_memory(number)
        self._runtime: Any = trt.Runtime(self._log)
        self._engines: dict[_Row, _Engine] = {}
        self._files: list[Path] = []
        sides = self.inputs[0].shape[1:]
        if None not in sides:
            with self._memory.current():
                self._engine(tuple(side or 0 for side in sides))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Raises BackendError where the graph cannot run on these inputs."""
        if self._memory is None:
            raise BackendError("this model was closed: open it again")
        (wanted,) = self.inputs
        batch = inputs.get(wanted.name)
        if set(inputs) != {wanted.name} or batch is None or batch.dtype != wanted.dtype:
            found = {name: str(value.dtype) for name, value in inputs.items()}
            raise BackendError(f"tensorrt takes {wanted.name} {wanted.dtype}, got {found}")
        with self._memory.current():
            engine = self._engine(batch.shape[1:])
            parts = [
                engine.run(np.ascontiguousarray(batch[start : start + engine.most]))
                for start in range(0, max(len(batch), 1), engine.most)
            ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def discard(self) -> None:
        """Remove the engines that this object built from the cache."""
        for file in self._files:
            file.unlink(missing_ok=True)
        self.built = False

    def close(self) -> None:
        """Free the engines and their device memory."""
        if self._memory is None:
            return
        with self._memory.current():
            for engine in self._engines.values():
                engine.close()
            self._engines.clear()
            self._runtime = None
            self._memory.close()
        self._memory = None

    def _engine(self, row: _Row) -> _Engine:
        """The engine for rows of one shape, from the cache or built now."""
        if row not in self._engines:
            assert self._memory is not None
            only = self.inputs[0].shape[0]
            batches = BATCHES if only is None else (only,)
            facts = {
                "tensorrt": trt.__version__,
                "device": self._memory.name,
                "precision": self.precision,
                "shapes": [[batch, *row] for batch in batches],
            }
            path = engine_path(self._folder, self._model, facts)
            plan, built = load_or_build(path, lambda: self._build(row, batches))
            engine = self._runtime.deserialize_cuda_engine(plan)
            if engine is None:
                path.unlink(missing_ok=True)
                raise ModelError(f"{path} cannot be loaded: {self._log.last}; it was removed")
            if built:
                self.built = True
                self._files.append(path)
            name = self.inputs[0].name
            self._engines[row] = _Engine(engine, self._memory, name, row, batches)
        return self._engines[row]

    def _build(self, row: _Row, batches: tuple[int, ...]) -> bytes:
        _log.info("building a TensorRT engine of %s, once", self._model.name)
        builder = trt.Builder(self._log)
        flags = 0
        if int(trt.__version__.partition(".")[0]) < 11:  # from 11 on every network is
            flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(flags)
        parser = trt.OnnxParser(network, self._log)
        if not parser.parse(self._model.read_bytes()):
            said = [parser.get_error(i).desc() for i in range(parser.num_errors)]
            raise ModelError(f"{self._model} is not read by TensorRT: {'; '.join(said)[:300]}")
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, self._workspace)
        config.clear_flag(trt.BuilderFlag.TF32)  # float32 is to be float32
        for batch in batches:
            profile = builder.create_optimization_profile()
            least = batch if len(batches) == 1 else 1
            shapes = ((least, *row), (batch, *row), (batch, *row))  # least, best, most
            profile.set_shape(self.inputs[0].name, *shapes)
            config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise ModelError(f"TensorRT cannot build {self._model}: {self._log.last}")
        return bytes(plan)


@dataclass(slots=True)
class _Engine:
    """A loaded engine: a context and buffers for each profile, made when they are first needed."""

    engine: Any
    memory: DeviceMemory
    input: str
    row: _Row
    batches: tuple[int, ...]
    _profiles: dict[int, _Profile] = field(default_factory=dict)

    @property
    def most(self) -> int:
        return self.batches[-1]

    def run(self, batch: Array) -> dict[str, Array]:
        """Outputs of at most `most` rows."""
        size = len(batch)
        if not size:
            raise BackendError("tensorrt runs no empty batch")
        index = next(i for i, limit in enumerate(self.batches) if size <= limit)
        if len(self.batches) == 1 and size < self.most:  # a graph of one fixed batch
            rest = np.zeros((self.most - size, *self.row), batch.dtype)
            full = self.run(np.concatenate([batch, rest]))
            return {name: value[:size] for name, value in full.items()}
        if index not in self._profiles:
            self._profiles[index] = _Profile(self.engine, self.memory, index)
        return self._profiles[index].run(self.input, batch)

    def close(self) -> None:
        for profile in self._profiles.values():
            profile.close()
        self._profiles.clear()
        self.engine = None


class _Profile:
    """An execution context set to one profile, and the device memory it has needed so far."""

    def __init__(self, engine: Any, memory: DeviceMemory, index: int) -> None:
        self._memory = memory
        self._context = engine.create_execution_context()
        if self._context is None:
            raise BackendError("tensorrt could not make a context: too little device memory?")
        if not self._context.set_optimization_profile_async(index, memory.stream):
            raise BackendError(f"tensorrt refused profile {index}")
        memory.wait()
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self._outputs = {
            name: np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
            for name in names
            if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT
        }
        self._places: dict[str, tuple[int, int]] = {}  # name -> address, bytes

    def run(self, input_: str, batch: Array) -> dict[str, Array]:
        context, memory = self._context, self._memory
        if not context.set_input_shape(input_, batch.shape):
            raise BackendError(f"tensorrt takes no batch of {batch.shape}")
        place = self._place(input_, batch.nbytes)
        memory.upload(batch, place)
        answers = {}
        for name, dtype in self._outputs.items():
            shape = tuple(context.get_tensor_shape(name))
            if min(shape, default=0) < 0:
                raise BackendError(f"output {name} has no size beforehand: export without --nms")
            answers[name] = np.empty(shape, dtype)
            self._place(name, answers[name].nbytes)
        if not context.execute_async_v3(memory.stream):
            raise BackendError("tensorrt could not run the engine")
        for name, value in answers.items():
            memory.download(self._places[name][0], value)
        memory.wait()
        return answers

    def close(self) -> None:
        for address, _ in self._places.values():
            self._memory.free(address)
        self._places.clear()
        self._context = None

    def _place(self, name: str, size: int) -> int:
        """The device address of a tensor, grown where it is too small, and told to the context."""
        address, held = self._places.get(name, (0, 0))
        if held < size:
            if held:
                self._memory.free(address)
            address = self._memory.allocate(size)
            self._places[name] = address, size
            if not self._context.set_tensor_address(name, address):
                raise BackendError(f"tensorrt refused an address for {name}")
        return address


class _Log(trt.ILogger):  # type: ignore[misc]
    """TensorRT's messages in Python's log; the last error is kept for ours."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.last = "no reason given"

    def log(self, severity: Any, message: str) -> None:
        """Called by TensorRT."""
        if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
            self.last = " ".join(str(message).split())[:300]
            _log.error("%s", message)
        elif severity == trt.ILogger.WARNING:
            _log.warning("%s", message)
        else:
            _log.debug("%s", message)


def _choose(device: str) -> int:
    """The GPU's number; a CPU is refused."""
    family, _, number = ("cuda" if device == "auto" else device).lower().partition(":")
    if family not in ("cuda", "tensorrt", "gpu") or (number and not number.isdigit()):
        raise DeviceError(f"device {device!r} asked of tensorrt, which runs on cuda[:N] alone")
    return int(number or 0)
