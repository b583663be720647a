"""What was done around a network put into its graph: normalisation before, decoding and NMS after.

Every function changes the ONNX model in place; operators of opset 17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from posetrack.cards import Input
from posetrack.export.graph import Builder, consumers, initializers, replace_outputs, sides

if TYPE_CHECKING:
    import onnx

MOST = 100
"""Detections that a graph with NMS inside gives a picture; the rest of the rows score 0."""


def fold_input(model: onnx.ModelProto, form: Input) -> None:
    """Take uint8 (N, H, W, 3) BGR in place of normalised floats (N, 3, H, W).

    That is what a picture is in memory, so crops are drawn straight into the batch. The mean is
    subtracted in the graph; colour order and the division by `std` go into the weights of the
    first convolution, if that is all that reads the input. The mean cannot: the zeros with which
    the convolution pads stand for it.
    """
    from onnx import TensorProto, helper

    old = model.graph.input[0]
    batch, _, height, width = sides(old)
    readers = consumers(model, old.name)
    order = [0, 1, 2] if form.color == "bgr" else [2, 1, 0]  # channel of the network for b, g, r
    mean, factor = np.array(form.mean)[order], (1 / np.array(form.std))[order]
    add = Builder(model, "pixels")
    planes = add.node("Transpose", old.name, perm=[0, 3, 1, 2])
    planes = add.node("Cast", planes, to=TensorProto.FLOAT)
    values = add.node("Sub", planes, add.constant(mean.reshape(1, 3, 1, 1), np.float32))
    if not _into_convolution(model, readers, order, factor):
        values = add.node("Mul", values, add.constant(factor.reshape(1, 3, 1, 1), np.float32))
        if form.color == "rgb":
            values = add.node("Gather", values, add.constant([2, 1, 0], np.int64), axis=1)
    for reader in readers:
        for index, name in enumerate(reader.input):
            if name == old.name:
                reader.input[index] = values
    for node in reversed(add.nodes):
        model.graph.node.insert(0, node)
    picture = helper.make_tensor_value_info(old.name, TensorProto.UINT8, [batch, height, width, 3])
    old.CopyFrom(picture)


def _into_convolution(
    model: onnx.ModelProto, readers: list[onnx.NodeProto], order: list[int], factor: np.ndarray
) -> bool:
    """Reorder and scale the input channels of the one convolution that reads; False if none is."""
    from onnx import numpy_helper

    if len(readers) != 1 or readers[0].op_type != "Conv":
        return False
    weight = initializers(model).get(readers[0].input[1])
    if weight is None or weight.dims[1] != 3 or len(consumers(model, weight.name)) != 1:
        return False
    values = numpy_helper.to_array(weight).astype(np.float64)
    values = values[:, order] * factor.reshape(1, 3, 1, 1)
    weight.CopyFrom(numpy_helper.from_array(values.astype(np.float32), weight.name))
    return True


def fold_decoding(model: onnx.ModelProto, lines: list[str], *, split: float) -> None:
    """Give ``keypoints`` (N, K, 3) in place of the SimCC outputs `lines` (x, then y).

    Rows are x, y in crop px and the lower of the two peaks, see `codecs.SimCC.decode`: 3 numbers a
    keypoint leave the device, not twice the sides of the crop.
    """
    from onnx import TensorProto, helper

    batch, keypoints, _ = next(sides(o) for o in model.graph.output if o.name == lines[0])
    add = Builder(model, "decoding")
    one = add.constant([1], np.int64)
    peaks, places = zip(
        *(add.nodes_of("TopK", line, one, outputs=2, axis=-1) for line in lines), strict=True
    )
    at = add.node("Concat", *places, axis=-1)
    at = add.node("Cast", at, to=TensorProto.FLOAT)
    at = add.node("Div", at, add.constant(split, np.float32))
    add.node("Concat", at, add.node("Min", *peaks), output="keypoints", axis=-1)
    model.graph.node.extend(add.nodes)
    rows = helper.make_tensor_value_info("keypoints", TensorProto.FLOAT, [batch, keypoints, 3])
    replace_outputs(model, [rows])


def append_nms(model: onnx.ModelProto, score: float, iou: float, *, most: int = MOST) -> None:
    """Give ``dets`` (N, M, 5) and ``labels`` (N, M) in place of ``boxes`` and ``scores``.

    Strongest first, any batch and number of classes, as MMDeploy's graphs do. M is `most`, or fewer
    where there are fewer boxes; rows that only fill up score 0.
    """
    from onnx import TensorProto, helper

    batch = sides(model.graph.output[0])[0]
    add = Builder(model, "nms")
    last, flat = add.constant([-1], np.int64), add.constant([0, -1], np.int64)
    limits = [add.constant([most], np.int64), add.constant([iou], np.float32)]
    limits.append(add.constant([score], np.float32))
    scores = add.node("Transpose", "scores", perm=[0, 2, 1])  # (N, C, A)
    kept = add.node("NonMaxSuppression", "boxes", scores, *limits)  # (kept, 3): n, c, a
    nothing = add.node("ConstantOfShape", add.node("Shape", scores))
    left = add.node("ScatterND", nothing, kept, add.node("GatherND", scores, kept))
    left = add.node("Reshape", left, flat)  # (N, C A), 0 where suppressed
    count = add.node("Shape", left, start=1)
    count = add.node("Min", count, add.constant([most], np.int64))
    best, index = add.nodes_of("TopK", left, count, outputs=2, axis=1)
    priors = add.node("Shape", "boxes", start=1, end=2)
    rows = add.node("Unsqueeze", add.node("Mod", index, priors), last)
    boxes = add.node("GatherND", "boxes", rows, batch_dims=1)
    add.node("Concat", boxes, add.node("Unsqueeze", best, last), output="dets", axis=2)
    add.node("Div", index, priors, output="labels")
    model.graph.node.extend(add.nodes)
    dets = helper.make_tensor_value_info("dets", TensorProto.FLOAT, [batch, "found", 5])
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, [batch, "found"])
    replace_outputs(model, [dets, labels])
