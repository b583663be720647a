"""Tiny real ONNX graphs with the inputs and outputs of detectors and pose networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray],
) -> Path:
    """`path`, holding the graph after ONNX's own check."""
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def detector(
    path: Path,
    boxes: Sequence[Sequence[float]],
    scores: Sequence[Sequence[float]],
    *,
    size: tuple[int | str, int | str] = ("height", "width"),
) -> Path:
    """Always these `boxes` (A, 4) and `scores` (A, C), NMS outside; `size` is (height, width)."""
    outputs = {
        "boxes": np.array([boxes], np.float32).reshape(1, -1, 4),
        "scores": np.array([scores], np.float32).reshape(1, len(boxes), -1),
    }
    return fixed_outputs(path, outputs, size)


def detector_with_nms(
    path: Path,
    rows: Sequence[Sequence[float]],
    labels: Sequence[int],
    *,
    size: tuple[int | str, int | str] = ("height", "width"),
) -> Path:
    """Always the same `rows` (M, 5) as ``dets`` and `labels`, as MMDeploy's end2end graphs."""
    outputs = {
        "dets": np.array([rows], np.float32).reshape(1, -1, 5),
        "labels": np.array([labels], np.int64).reshape(1, -1),
    }
    return fixed_outputs(path, outputs, size)


def brightest_pixel(
    path: Path,
    *,
    keypoints: int = 17,
    size: tuple[int, int] = (192, 256),
    batch: int | str = "batch",
    names: tuple[str, str] = ("simcc_x", "simcc_y"),
) -> Path:
    """A pose network that puts every keypoint on the brightest pixel; `size` is (width, height)."""
    width, height = size
    nodes = [helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=0)]
    for name, axis, length in ((names[0], 1, width), (names[1], 2, height)):
        line, pair = f"line_{name}", f"pair_{name}"
        nodes += [
            helper.make_node("ReduceMax", ["grey"], [line], axes=[axis], keepdims=0),
            helper.make_node("Unsqueeze", [line, "last"], [f"{line}_1"]),
            helper.make_node("Sub", [f"{line}_1", "little"], [f"{line}_2"]),
            helper.make_node("Concat", [f"{line}_1", f"{line}_2"], [pair], axis=2),
            helper.make_node("Reshape", [pair, f"shape_{length}"], [f"{pair}_flat"]),
            helper.make_node("Expand", [f"{pair}_flat", "people"], [name]),
        ]
    constants = {
        "last": np.array([2]),
        "little": np.array(0.01, np.float32),
        "people": np.array([1, keypoints, 1]),
        f"shape_{width}": np.array([-1, 1, 2 * width]),
        f"shape_{height}": np.array([-1, 1, 2 * height]),
    }
    inputs = [_float("input", [batch, 3, height, width])]
    outputs = [
        _float(names[0], [batch, keypoints, 2 * width]),
        _float(names[1], [batch, keypoints, 2 * height]),
    ]
    return save(path, nodes, inputs, outputs, constants)


def mean_colour(
    path: Path, *, size: tuple[int, int] = (16, 32), batch: int | str = "batch", times: float = 1
) -> Path:
    """A re-identification network whose embedding is the crop's mean colour, `times` as long."""
    width, height = size
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "times"], ["embedding"]),
    ]
    constants = {"times": np.array(times, np.float32)}
    inputs = [_float("input", [batch, 3, height, width])]
    return save(path, nodes, inputs, [_float("embedding", [batch, 3])], constants)


def _float(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def fixed_outputs(
    path: Path,
    outputs: dict[str, np.ndarray],
    size: tuple[int | str, ...],
    *,
    batch: bool = True,
) -> Path:
    """A graph that reads its input, uses nothing of it, and always puts out the same.

    Without `batch`, `size` is the whole shape of the input.
    """
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants, infos = {"zero": np.array(0, np.float32)}, []
    for name, value in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        constants[f"known_{name}"] = value
        nodes += [
            helper.make_node("Cast", ["nothing"], [f"nothing_{name}"], to=kind),
            helper.make_node("Add", [f"known_{name}", f"nothing_{name}"], [name]),
        ]
        infos.append(helper.make_tensor_value_info(name, kind, value.shape))
    shape = ["batch", 3, *size] if batch else size
    return save(path, nodes, [_float("input", shape)], infos, constants)
