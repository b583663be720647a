"""Inputs, outputs and operators of an ONNX file, read without any runtime.

A session would cost a hundred times more. Source: the protobuf wire format and onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posetrack.backends.protocol import TensorSpec
from posetrack.errors import ModelError, ModelNotFound

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_DTYPES = {1: "f4", 2: "u1", 3: "i1", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8"}

PRECISION = "posetrack.precision"
"""Metadata entry of graphs that posetrack wrote in another precision than fp32."""
_QUANTIZED = frozenset({"QLinearConv", "DequantizeLinear", "ConvInteger", "QGemm"})

_Field = tuple[int, "int | memoryview"]


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """What a file declares: its inputs and outputs, operator types and metadata entries."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: frozenset[str]
    metadata: dict[str, str]

    @property
    def precision(self) -> str:
        """What the graph says to compute in: ``int8``, ``fp16`` or ``fp32``."""
        if self.operators & _QUANTIZED:
            return "int8"
        half = any(spec.dtype == np.float16 for spec in self.inputs)
        return "fp16" if half else self.metadata.get(PRECISION, "fp32")


def read_header(path: Path) -> OnnxHeader:
    """The declarations of an ONNX file.

    Raises:
        ModelNotFound: no such file.
        ModelError: it is not an ONNX graph.
    """
    if not path.is_file():
        raise ModelNotFound(f"model file {path} not found: check the path")
    if not path.stat().st_size:
        raise ModelError(f"model file {path} is empty: fetch or export it again")
    with path.open("rb") as file:  # the map closes itself with the last view of it
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        header = _parse(view)
    except (ValueError, IndexError, TypeError):
        header = None
    if header is None or not header.outputs:
        raise ModelError(f"{path} is not an ONNX graph (corrupt or cut short): fetch it again")
    return header


def _parse(view: memoryview) -> OnnxHeader:
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    initializers: set[str] = set()
    operators: set[str] = set()
    metadata: dict[str, str] = {}
    for number, value in _fields(view):
        if number == _MODEL_METADATA:
            entry = {n: _text(v) for n, v in _fields(value)}
            metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == _MODEL_GRAPH:
            for part, content in _fields(value):
                if part == _GRAPH_NODE:
                    operators.update(_text(v) for n, v in _fields(content) if n == 4)
                elif part == _GRAPH_INITIALIZER:
                    initializers.update(_text(v) for n, v in _fields(content) if n == 8)
                elif part == _GRAPH_INPUT:
                    inputs.append(_spec(content))
                elif part == _GRAPH_OUTPUT:
                    outputs.append(_spec(content))
    fed = tuple(spec for spec in inputs if spec.name not in initializers)
    return OnnxHeader(fed, tuple(outputs), frozenset(operators), metadata)


def _spec(value: int | memoryview) -> TensorSpec:
    name, kind, shape = "", 1, []
    for number, content in _fields(value):
        if number == 1:
            name = _text(content)
        elif number == 2:
            tensor = next((v for n, v in _fields(content) if n == 1), b"")
            for n, v in _fields(tensor):
                if n == 1 and isinstance(v, int):
                    kind = v
                elif n == 2:
                    shape = [_dimension(d) for m, d in _fields(v) if m == 1]
    return TensorSpec(name, tuple(shape), np.dtype(_DTYPES.get(kind, "V")))


def _dimension(value: int | memoryview) -> int | None:
    for number, content in _fields(value):
        if number == 1 and isinstance(content, int) and content > 0:
            return content
    return None


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode("utf-8")


def _bytes(value: int | memoryview | bytes) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message was due")
    return memoryview(value)


def _fields(message: int | memoryview | bytes) -> Iterator[_Field]:
    """(field number, integer or content) of a message; ValueError where the bytes are not one."""
    view, at = _bytes(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(view, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or at + size > len(view):
            raise ValueError("field runs past the end")
        yield number, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")
