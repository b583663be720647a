"""A stand-in for TensorRT and a GPU that keeps their rules and records the calls.

Nothing is built: an "engine" is the ONNX graph in a session of ONNX Runtime, and "device memory" is
host memory under made-up addresses. What it checks is what the documented interface demands: order
of calls, types, shapes within the profile, addresses that were allocated, copies before use. It
proves nothing about the real library.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime as ort


class Memory:
    """A device of one stream; a copy is done when it is waited for, as late as may be."""

    name = "Double sm_99"
    stream = 7

    def __init__(self) -> None:
        self.blocks: dict[int, np.ndarray] = {}
        self.entered = 0
        self.queue: list[Any] = []
        self.closed = False

    @contextmanager
    def current(self) -> Iterator[None]:
        self.entered += 1
        yield
        self.entered -= 1

    def allocate(self, size: int) -> int:
        assert self.entered
        assert size > 0
        address = 4096 * (len(self.blocks) + 1) + 10**6 * (len(self.queue) + 1)
        while address in self.blocks:
            address += 4096
        self.blocks[address] = np.full(size, 0xAB, np.uint8)
        return address

    def free(self, address: int) -> None:
        assert self.entered
        del self.blocks[address]

    def upload(self, array: np.ndarray, address: int) -> None:
        assert array.flags.c_contiguous
        assert array.nbytes <= self.blocks[address].nbytes
        self.queue.append(lambda: self._fill(address, array))

    def _fill(self, address: int, array: np.ndarray) -> None:
        self.blocks[address][: array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)

    def download(self, address: int, array: np.ndarray) -> None:
        assert array.flags.c_contiguous

        def copy() -> None:
            raw = self.blocks[address][: array.nbytes].tobytes()
            array[...] = np.frombuffer(raw, array.dtype).reshape(array.shape)

        self.queue.append(copy)

    def wait(self) -> None:
        assert self.entered
        for job in self.queue:
            job()
        self.queue.clear()

    def close(self) -> None:
        assert self.entered
        assert not self.blocks, "device memory was not given back"
        self.closed = True


class TensorRt(types.ModuleType):
    """The module `tensorrt` of one version, for one `Memory`; `calls` are in order."""

    def __init__(self, version: str, memory: Memory) -> None:
        super().__init__("tensorrt")
        self.__version__ = version
        self.calls: list[tuple[Any, ...]] = []
        self.memory = memory
        self.plan_fails = False
        module = self

        class ILogger:
            INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

        class Builder:
            def __init__(self, logger: Any) -> None:
                assert isinstance(logger, ILogger)
                self.logger = logger

            def create_network(self, flags: int = 0) -> Any:
                module.calls.append(("create_network", flags))
                return types.SimpleNamespace(content=None)

            def create_builder_config(self) -> Any:
                return Config()

            def create_optimization_profile(self) -> Any:
                return Profile()

            def build_serialized_network(self, network: Any, config: Any) -> Any:
                module.calls.append(("build", len(config.profiles)))
                assert network.content, "a network was built before it was parsed"
                if module.plan_fails:
                    self.logger.log(ILogger.ERROR, "no implementation for node X")
                    return None
                shapes = repr([profile.shapes for profile in config.profiles]).encode()
                return memoryview(shapes + b"|" + network.content)

        class Config:
            def __init__(self) -> None:
                self.profiles: list[Profile] = []

            def set_memory_pool_limit(self, pool: str, size: int) -> None:
                assert pool == module.MemoryPoolType.WORKSPACE
                assert isinstance(size, int)

            def clear_flag(self, flag: str) -> None:
                module.calls.append(("clear_flag", flag))

            def add_optimization_profile(self, profile: Profile) -> int:
                self.profiles.append(profile)
                return len(self.profiles) - 1

        class Profile:
            shapes: dict[str, tuple[Any, ...]]

            def set_shape(self, name: str, least: Any, best: Any, most: Any) -> None:
                assert all(isinstance(shape, tuple) for shape in (least, best, most))
                assert all(a <= b <= c for a, b, c in zip(least, best, most, strict=True))
                self.shapes = {name: (least, best, most)}

        class OnnxParser:
            num_errors = 1

            def __init__(self, network: Any, logger: Any) -> None:
                self.network = network

            def parse(self, content: bytes) -> bool:
                assert isinstance(content, bytes)
                module.calls.append(("parse", len(content)))
                self.network.content = content
                return b"Unheard" not in content

            def get_error(self, index: int) -> Any:
                return types.SimpleNamespace(desc=lambda: "no importer for Unheard")

        class Runtime:
            def __init__(self, logger: Any) -> None:
                assert isinstance(logger, ILogger)

            def deserialize_cuda_engine(self, plan: bytes) -> Any:
                module.calls.append(("deserialize", len(plan)))
                return Engine(plan) if b"|" in plan else None

        class Engine:
            def __init__(self, plan: bytes) -> None:
                shapes, _, content = plan.partition(b"|")
                self.profiles = eval(shapes)
                self.session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
                self.inputs = {value.name: value for value in self.session.get_inputs()}
                self.values = {**self.inputs, **{v.name: v for v in self.session.get_outputs()}}
                self.num_io_tensors = len(self.values)

            def get_tensor_name(self, index: int) -> str:
                return list(self.values)[index]

            def get_tensor_mode(self, name: str) -> str:
                return "INPUT" if name in self.inputs else "OUTPUT"

            def get_tensor_dtype(self, name: str) -> str:
                return self.values[name].type

            def create_execution_context(self) -> Any:
                return Context(self)

        class Context:
            def __init__(self, engine: Engine) -> None:
                self.engine = engine
                self.profile: dict[str, Any] | None = None
                self.shapes: dict[str, tuple[int, ...]] = {}
                self.addresses: dict[str, int] = {}

            def set_optimization_profile_async(self, index: int, stream: int) -> bool:
                assert stream == Memory.stream
                self.profile = self.engine.profiles[index]
                module.calls.append(("profile", index))
                return True

            def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
                assert self.profile is not None, "no profile is set"
                least, _, most = self.profile[name]
                pairs = zip(least, shape, most, strict=True)
                self.shapes[name] = shape
                return all(a <= b <= c for a, b, c in pairs)

            def get_tensor_shape(self, name: str) -> tuple[int, ...]:
                assert self.shapes, "an output has no shape before the input has one"
                rows = next(iter(self.shapes.values()))[0]
                sides = self.engine.values[name].shape
                return tuple(s if isinstance(s, int) else rows if i == 0 else -1
                             for i, s in enumerate(sides))  # fmt: skip

            def set_tensor_address(self, name: str, address: int) -> bool:
                assert address in module.memory.blocks
                self.addresses[name] = address
                return True

            def execute_async_v3(self, stream: int) -> bool:
                assert stream == Memory.stream
                assert set(self.addresses) == set(self.engine.values), "a tensor has no address"
                module.calls.append(("execute", next(iter(self.shapes.values()))))
                module.memory.queue.append(self._run)
                return True

            def _run(self) -> None:
                fed = {}
                for name, value in self.engine.inputs.items():
                    dtype = nptype(value.type)
                    size = int(np.prod(self.shapes[name])) * np.dtype(dtype).itemsize
                    raw = module.memory.blocks[self.addresses[name]][:size].tobytes()
                    fed[name] = np.frombuffer(raw, dtype).reshape(self.shapes[name])
                names = [name for name in self.engine.values if name not in self.engine.inputs]
                for name, value in zip(names, self.engine.session.run(names, fed), strict=True):
                    module.memory._fill(self.addresses[name], value)

        def nptype(name: str) -> type:
            return {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[name]

        self.ILogger, self.Builder, self.Runtime = ILogger, Builder, Runtime
        self.OnnxParser, self.nptype = OnnxParser, nptype
        self.NetworkDefinitionCreationFlag = types.SimpleNamespace(STRONGLY_TYPED=3)
        self.MemoryPoolType = types.SimpleNamespace(WORKSPACE="workspace")
        self.BuilderFlag = types.SimpleNamespace(TF32="tf32")
        self.TensorIOMode = types.SimpleNamespace(INPUT="INPUT", OUTPUT="OUTPUT")
