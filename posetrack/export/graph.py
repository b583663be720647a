"""ONNX graphs read, simplified and taken apart; nothing here knows what they compute."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posetrack.backends import open_backend
from posetrack.errors import BackendMissing

if TYPE_CHECKING:
    import onnx

Values = npt.NDArray[Any]

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})

OPSET = 17
"""What exported graphs are written in; graphs that come with a later one keep theirs."""


def require_onnx() -> None:
    """Raises BackendMissing where the package `onnx` is not installed."""
    if find_spec("onnx") is None:
        raise BackendMissing(
            "changing a graph needs onnx, which is not installed: pip install posetrack[export]"
        )


def simplified(path: Path) -> onnx.ModelProto:
    """The graph with constants folded and batch norms in their convolutions, of standard operators.

    Raises:
        ModelError: ONNX Runtime, which does the work, does not read the file.
    """
    import onnx
    import onnxruntime as ort

    open_backend("onnxruntime", path, threads=1).close()  # a file that is no graph is told here
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "simple.onnx")
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        model = onnx.load(options.optimized_model_filepath)
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used | {""}]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.producer_name = "posetrack"
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{index}"  # what is kept or left out goes by name
    return model


def initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Constants by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def consumers(model: onnx.ModelProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that read a value."""
    return [node for node in model.graph.node if name in node.input]


@dataclass(slots=True)
class Builder:
    """Nodes and constants on their way into a graph; each `node` returns the name of its output."""

    model: onnx.ModelProto
    prefix: str
    nodes: list[Any] = field(default_factory=list)
    _count: int = 0

    def constant(self, value: Any, dtype: npt.DTypeLike) -> str:
        """The name of a new constant."""
        from onnx import numpy_helper

        name = self._new("constant")
        array = np.asarray(value, dtype)
        self.model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self, operator: str, *inputs: str, output: str | None = None, **attributes: Any
    ) -> str:
        """The name of the one output of a new node."""
        return self.nodes_of(operator, *inputs, outputs=1, names=[output], **attributes)[0]

    def nodes_of(
        self,
        operator: str,
        *inputs: str,
        outputs: int,
        names: list[str | None] | None = None,
        **attributes: Any,
    ) -> list[str]:
        """The names of the outputs of a new node that has several."""
        from onnx import helper

        given = names or [None] * outputs
        results = [name or self._new(operator) for name in given]
        label = f"/{self.prefix}/{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, results, name=label, **attributes))
        return results

    def _new(self, what: str) -> str:
        self._count += 1
        return f"{self.prefix}_{what}_{self._count}"


def replace_outputs(model: onnx.ModelProto, outputs: list[onnx.ValueInfoProto]) -> None:
    """Make `outputs` the ones of the graph, in place."""
    del model.graph.output[:]
    model.graph.output.extend(outputs)


def sides(value: onnx.ValueInfoProto) -> list[int | str | None]:
    """Shape of an input or output: numbers, names of free axes, None where nothing is said."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value or dim.dim_param or None for dim in dims]


def around(model: onnx.ModelProto, operators: frozenset[str]) -> set[str]:
    """Names of the nodes before the first and after the last node of `operators`.

    Before: what comes from the input without one of them. After: what leads to none of them, with
    constants that only the tail reads.
    """
    names, fresh = set(), {model.graph.input[0].name}
    for node in model.graph.node:
        if node.op_type not in operators and fresh.intersection(node.input):
            fresh.update(node.output)
            names.add(node.name)
    needed: set[str] = set()  # values on which a node of `operators` depends
    for node in reversed(model.graph.node):
        if node.op_type in operators or needed.intersection(node.output):
            needed.update(node.input)
        else:
            names.add(node.name)
    return names
