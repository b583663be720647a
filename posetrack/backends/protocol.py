"""What every inference backend is: tensors in, tensors out, on one named device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of a graph input or output; None marks a dynamic axis."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Backend(Protocol):
    """A loaded graph on one device. Used by one thread only.

    Attributes:
        kind: the backend's name, e.g. ``onnxruntime``.
        device: where the graph really runs, e.g. ``cpu`` or ``cuda:0``; never ``auto``.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        inputs: specs of the inputs, in order.
        outputs: specs of the outputs, in order.
    """

    kind: str
    device: str
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Raises BackendError where the graph cannot run on these inputs."""
        ...

    def close(self) -> None:
        """Free the graph and its device memory."""
        ...
