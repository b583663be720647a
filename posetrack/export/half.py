"""Float16 written into a graph, for runtimes that compute what the graph says (TensorRT 11).

The networks of this family overflow in float16 at known places: the norms and the squared attention
of the pose head, and sums over a whole map. These are kept in float32, and so is everything else
that comes after the last convolution, where it costs next to nothing: gated attention, SimCC lines,
decoding, boxes, NMS. A folded normalisation stays as it is too: a byte less its mean is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from posetrack.backends.onnx_header import PRECISION
from posetrack.errors import ModelError
from posetrack.export.graph import CONVOLUTIONS, around, initializers

if TYPE_CHECKING:
    import onnx

KEPT = frozenset({"GlobalAveragePool", "ReduceMean", "ReduceL2", "ReduceSum", "LayerNormalization"})
"""Operators that sum over a map: of values above 1 that soon passes 65504."""

_ALWAYS_FULL = {"Resize": (1, 2)}
"""Inputs (here region and scales) that the standard knows only as float32."""


def kept_in_full(model: onnx.ModelProto) -> frozenset[str]:
    """Names of the nodes that stay in float32: the tail, what sums, and a folded normalisation."""
    kept = around(model, CONVOLUTIONS)
    kept.update(node.name for node in model.graph.node if node.op_type in KEPT)
    return frozenset(kept)


def cast_half(model: onnx.ModelProto) -> None:
    """Compute what `kept_in_full` does not name in float16, in place; floats in and out.

    Raises:
        ModelError: the graph has branches or loops, or values of unknown type.
    """
    casting = _Casting(model, kept_in_full(model), _float_values(model))
    for node in list(model.graph.node):
        casting.take(node)
    del model.graph.node[:]
    model.graph.node.extend(casting.nodes)
    used = {name for node in casting.nodes for name in node.input}
    constants = [t for t in model.graph.initializer if t.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    del model.graph.value_info[:]  # the types it gives are those of before
    model.metadata_props.add(key=PRECISION, value="fp16")


def _float_values(model: onnx.ModelProto) -> set[str]:
    """Names of all float32 values."""
    import onnx
    from onnx import TensorProto

    if any(a.HasField("g") or a.graphs for node in model.graph.node for a in node.attribute):
        raise ModelError("float16 asked of a graph with branches or loops: use fp32")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(f"float16 asked of a graph of unknown types: {error}") from error
    infos = [*inferred.value_info, *inferred.input, *inferred.output]
    found = {i.name for i in infos if i.type.tensor_type.elem_type == TensorProto.FLOAT}
    return found | {t.name for t in inferred.initializer if t.data_type == TensorProto.FLOAT}


@dataclass(slots=True)
class _Casting:
    """The nodes of a graph with casts where a value is wanted in the other width."""

    model: onnx.ModelProto
    kept: frozenset[str]
    floats: set[str]
    nodes: list[Any] = field(default_factory=list)
    halves: set[str] = field(default_factory=set)  # values that are float16 where they are made
    made: dict[tuple[str, bool], str] = field(default_factory=dict)  # (value, half) -> its copy
    outputs: set[str] = field(init=False)
    constants: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = {value.name for value in self.model.graph.output}
        self.constants = initializers(self.model)

    def take(self, node: Any) -> None:
        """Append the node with the casts that it needs."""
        inputs = [name for name in node.input if name in self.floats]
        half = bool(inputs) and node.name not in self.kept and node.op_type != "Cast"
        half &= self.outputs.isdisjoint(node.output)
        full = _ALWAYS_FULL.get(node.op_type, ())
        for index, name in enumerate(node.input):
            if name in self.floats and node.op_type != "Cast":
                node.input[index] = self._as(name, half=half and index not in full)
        if half:
            self.halves.update(name for name in node.output if name in self.floats)
        self.nodes.append(node)

    def _as(self, name: str, *, half: bool) -> str:
        """The name under which a value is there in the width asked for."""
        from onnx import TensorProto, helper, numpy_helper

        if (name in self.halves) == half:
            return name
        if (name, half) not in self.made:
            other = f"{name}_{'half' if half else 'full'}"
            if name in self.constants:
                values = numpy_helper.to_array(self.constants[name]).astype(np.float16)
                self.model.graph.initializer.append(numpy_helper.from_array(values, other))
            else:
                to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                label = f"/cast/{other}"
                self.nodes.append(helper.make_node("Cast", [name], [other], name=label, to=to))
            self.made[name, half] = other
        return self.made[name, half]
