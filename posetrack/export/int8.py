"""Static quantisation to 8 bits: quantise-dequantise pairs, weights per channel."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.export.graph import CONVOLUTIONS, around, consumers

if TYPE_CHECKING:
    import onnx

    from posetrack.backends.protocol import Array


def quantise(
    model: onnx.ModelProto,
    fed: Iterable[dict[str, Array]],
    path: Path,
    *,
    symmetric: bool = False,
) -> None:
    """Write the graph with int8 weights and uint8 activations between its convolutions.

    What is before the first and from the last convolutions on stays float: SimCC lines and boxes do
    not fit into 256 steps. Ranges are the mean over the inputs of each input's smallest and
    largest value: a single outlier would cost everything else its resolution.

    Args:
        fed: inputs as `calibration.recorded` gives them.
        symmetric: int8 activations around 0, the only ones that TensorRT knows.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(fed)

        def get_next(self) -> dict[str, Array] | None:
            return next(self._left, None)

    add_pre_process_metadata(model)  # `graph.simplified` did what it asks for
    quantize_static(
        model,
        str(path),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=sorted(_kept_in_float(model)),
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"CalibMovingAverage": True, "ActivationSymmetric": symmetric},
    )


def _kept_in_float(model: onnx.ModelProto) -> set[str]:
    """Names of what is around the convolutions, and of those that only the tail reads."""
    kept = around(model, CONVOLUTIONS)
    last = set()
    for node in model.graph.node:
        readers = consumers(model, node.output[0])
        if node.op_type in CONVOLUTIONS and all(reader.name in kept for reader in readers):
            last.add(node.name)
    return kept | last
