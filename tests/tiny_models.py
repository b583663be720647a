"""Real, tiny ONNX models: one person at a fixed place, who stands upright in every box.

One of them has depth, as RTMW3D: there he is the figure of `avatars`, in one of its poses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import avatars
import graphs
import numpy as np
import onnx
from fakes import LAYOUT
from onnx import TensorProto, helper, numpy_helper

DETECTOR_CARD = """
name: tiny-detector
task: detection
architecture: constant
input: {size: [320, 320], color: bgr, mean: [0, 0, 0], std: [255, 255, 255]}
labels: [person]
files: [{format: onnx, path: model.onnx}]
"""
POSE_CARD = """
name: tiny-pose
task: pose
architecture: constant
skeleton: coco
input: {size: [192, 256], color: rgb, mean: [0, 0, 0], std: [255, 255, 255]}
files: [{format: onnx, path: model.onnx}]
"""
DEEP_CARD = """
name: tiny-pose-3d
task: pose
architecture: constant
skeleton: coco_wholebody
input: {size: [192, 256], color: rgb, mean: [0, 0, 0], std: [255, 255, 255]}
codec: {kind: simcc3d, z_range_m: 2.1744869}
camera: {focal: [600, 600], distance_m: 4.0}
files: [{format: onnx, path: model.onnx}]
"""
REID_CARD = """
name: tiny-reid
task: reid
architecture: mean
input: {size: [16, 32], color: rgb, mean: [128, 128, 128], std: [64, 64, 64]}
thresholds: {similarity: 0.75}
files: [{format: onnx, path: model.onnx}]
"""


@dataclass(frozen=True)
class Models:
    """Folders of the models, as arguments of `--det`, `--pose` (`deep` too) and `--reid`."""

    det: Path
    pose: Path
    reid: Path
    deep: Path

    @property
    def flags(self) -> list[str]:
        return ["--det", str(self.det), "--pose", str(self.pose)]


def make_models(folder: Path) -> Models:
    """The models, written into an empty folder."""
    dets = np.array([[[70, 40, 190, 200, 0.9]]], np.float32)
    _write(
        folder / "det",
        DETECTOR_CARD,
        {"dets": dets, "labels": np.zeros((1, 1), np.int64)},
        (1, 3, 320, 320),
    )
    _write(folder / "pose", POSE_CARD, _simcc(LAYOUT, np.ones(17)), ("n", 3, 256, 192))
    figure = avatars.seen(avatars.dance(0))
    peaks = _simcc(figure.keypoints / avatars.SIZE[1], figure.scores, figure.depths)
    _write(folder / "deep", DEEP_CARD, peaks, ("n", 3, 256, 192))
    graphs.mean_colour(folder / "reid" / "model.onnx")
    (folder / "reid" / "card.yaml").write_text(REID_CARD)
    return Models(*(folder / name for name in ("det", "pose", "reid", "deep")))


def _simcc(
    layout: np.ndarray, scores: np.ndarray, depths: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What a network answers that sees keypoints (K, 2) and depths (K,) in metres in every crop.

    A box of the crop's aspect, padded by 1.25, is the crop; keypoints grown by 1.25 are the box
    again, so that a propagated person stays where it is.
    """
    found = layout[scores > 0]
    low, high = found.min(axis=0), found.max(axis=0)
    whole = high - low if depths is None else (high - low)[1] * np.array([0.75, 1.0])
    at = 0.5 + (layout - (low + high) / 2) / whole / 1.25**2
    if depths is not None:
        at = np.column_stack([at, 0.5 + depths / 2.1744869 / 2])
    simcc = {}
    for axis, (name, bins) in enumerate((("simcc_x", 384), ("simcc_y", 512), ("simcc_z", 384))):
        if axis < at.shape[1]:
            peak = np.round(at[:, axis] * bins)[:, None]
            line = np.exp(-((np.arange(bins) - peak) ** 2) / 18) * scores[:, None]
            simcc[name] = line.astype(np.float32)[None]
    return simcc


def _write(
    folder: Path, card: str, outputs: dict[str, np.ndarray], shape: tuple[int | str, ...]
) -> None:
    """A graph whose outputs are constant, once for each image of the batch."""
    nodes = [
        helper.make_node("Shape", ["input"], ["n"], start=0, end=1),
        helper.make_node("Concat", ["n", "ones"], ["repeats"], axis=0),
    ]
    initial = [numpy_helper.from_array(np.ones(2, np.int64), "ones")]
    infos = []
    for name, value in outputs.items():
        initial.append(numpy_helper.from_array(value, f"{name}_value"))
        repeats = "repeats" if value.ndim == 3 else "n_one"
        nodes.append(helper.make_node("Tile", [f"{name}_value", repeats], [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        infos.append(helper.make_tensor_value_info(name, kind, [shape[0], *value.shape[1:]]))
    nodes.insert(1, helper.make_node("Concat", ["n", "one"], ["n_one"], axis=0))
    initial.append(numpy_helper.from_array(np.ones(1, np.int64), "one"))
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape))
    graph = helper.make_graph(nodes, "constant", [image], infos, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "card.yaml").write_text(card)
