"""Cards for models that bring none: what RTMDet and RTMPose graphs tell of themselves.

Only what the graph shows is inferred (task, size, keypoint count); the rest is what the published
models of the family use. A model that was trained otherwise needs a card of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from posetrack.backends.onnx_header import OnnxHeader, read_header
from posetrack.backends.protocol import TensorSpec
from posetrack.cards import Codec, Input, ModelCard, ModelFile
from posetrack.errors import ModelError

SKELETONS = {
    14: "crowdpose",
    16: "mpii",
    17: "coco",
    21: "onehand10k",
    26: "halpe26",
    68: "300w",
    98: "wflw",
    106: "lapa",
    133: "coco_wholebody",
}
"""The set that published models with so many keypoints use; ap10k (17 too) needs a card."""

_CODECS = {"cspnext": Codec(kind="heatmap"), "rtmw3d": Codec(kind="simcc3d")}
RTMW_SCALE = 10.0
"""RTMW is trained with beta 1 in place of 10, so its raw scores are ten times those of RTMPose."""

_Size = tuple[int | None, int | None]

DETECTOR_SIZE = (320, 320)
"""For graphs that take any size: RTMDet-nano's own."""

_MEAN_RGB, _STD_RGB = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def rtmdet_input(size: tuple[int, int]) -> Input:
    """RTMDet's preprocessing: BGR as it is, grey padding."""
    return Input(size=size, color="bgr", mean=_MEAN_RGB[::-1], std=_STD_RGB[::-1], pad=114)


def rtmpose_input(size: tuple[int, int]) -> Input:
    """RTMPose's preprocessing: RGB, black outside the picture."""
    return Input(size=size, color="rgb", mean=_MEAN_RGB, std=_STD_RGB, pad=0)


def card_for_detector(
    name: str, file: ModelFile, *, size: tuple[int, int], classes: int = 1, architecture: str
) -> ModelCard:
    """A card with RTMDet's conventions; one class is a person, several are counted."""
    labels = ("person",) if classes == 1 else tuple(f"class{i}" for i in range(classes))
    return ModelCard(
        name=clean_name(name),
        task="detection",
        architecture=architecture,
        input=rtmdet_input(size),
        labels=labels,
        keep=None if classes == 1 else labels[:1],
        files=(file,),
        notes="inferred from the graph: RTMDet's conventions, first class = person",
    )


def card_for_pose(
    name: str,
    file: ModelFile,
    *,
    size: tuple[int, int],
    keypoints: int,
    architecture: str,
    skeleton: str | None = None,
) -> ModelCard:
    """A card with RTMPose's conventions, or those of heatmaps; the skeleton from the count."""
    skeleton = skeleton or SKELETONS.get(keypoints)
    if skeleton is None:
        raise ModelError(
            f"{name} has {keypoints} keypoints, which no known set has: write a card that names "
            "its skeleton (docs/models.md)"
        )
    return ModelCard(
        name=clean_name(name),
        task="pose",
        architecture=architecture,
        input=rtmpose_input(size),
        skeleton=skeleton,
        codec=_CODECS.get(architecture.partition("-")[0], Codec()),
        score_scale=RTMW_SCALE if architecture.partition("-")[0] == "rtmw" else 1.0,
        files=(file,),
        notes="inferred from the graph: RTMPose's conventions",
    )


def card_for_onnx(path: Path) -> ModelCard:
    """A card for a bare ONNX file. Raises ModelError where its outputs tell nothing."""
    header = read_header(path)
    file = ModelFile(format="onnx", path=path.name)
    size, folded = _picture(path, header)
    card = _card(path, header, size, file)
    if folded:
        card = card.model_copy(update={"input": card.input.model_copy(update={"folded": True})})
    return card


def _card(path: Path, header: OnnxHeader, size: _Size, file: ModelFile) -> ModelCard:
    names = {spec.name for spec in header.outputs}
    if {"dets", "labels"} <= names or {"boxes", "scores"} <= names:
        known = size if None not in size else DETECTOR_SIZE
        return card_for_detector(
            path.stem,
            file,
            size=known,  # type: ignore[arg-type]
            classes=_classes(header),
            architecture="rtmdet",
        )
    lines = _simcc_outputs(header, size)
    if lines is not None:
        # RTMW's outputs look like RTMPose's: only the name tells of its scores' other scale.
        architecture = "rtmw" if path.stem.lower().startswith("rtmw-") else "rtmpose"
        if len(header.outputs) == 3:
            architecture = "rtmw3d"
        return _pose_card(path, lines, file, architecture)
    codec = _one_output(header, size)
    if codec is not None:
        card = card_for_pose(
            path.stem,
            file,
            size=size,  # type: ignore[arg-type]
            keypoints=header.outputs[0].shape[1] or 0,
            architecture="rtmpose" if codec.kind == "decoded" else "heatmap",
        )
        return card.model_copy(update={"codec": codec})
    raise ModelError(
        f"{path} puts out {', '.join(sorted(names))}, which tells neither detector nor pose model: "
        f"write {path.stem}.card.yaml beside it (docs/models.md)"
    )


def _picture(path: Path, header: OnnxHeader) -> tuple[_Size, bool]:
    """(width, height) of the one picture a graph takes, and whether it takes bytes (N, H, W, 3)."""
    shape = header.inputs[0].shape if header.inputs else ()
    folded = bool(header.inputs) and header.inputs[0].dtype == np.uint8
    if len(header.inputs) != 1 or len(shape) != 4 or shape[3 if folded else 1] not in (3, None):
        raise ModelError(f"{path} does not take one (N, 3, H, W) picture: write a card for it")
    height, width = shape[1:3] if folded else shape[2:4]
    return (width, height), folded


def clean_name(text: str) -> str:
    """`text` as a model name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or "model"


def _one_output(header: OnnxHeader, size: _Size) -> Codec | None:
    """The codec of a pose network with one output: decoded keypoints, or maps a whole number of
    times smaller than the picture; None for any other.
    """
    width, height = size
    if len(header.outputs) != 1 or width is None or height is None:
        return None
    output = header.outputs[0]
    if output.name == "keypoints":
        return Codec(kind="decoded")
    if len(output.shape) != 4 or not output.shape[3]:
        return None
    stride = width // output.shape[3]
    if stride == 0 or output.shape[2:] != (height // stride, width // stride):
        return None
    return Codec(kind="heatmap", stride=stride)


def _simcc_outputs(header: OnnxHeader, size: _Size) -> tuple[TensorSpec, TensorSpec] | None:
    """The x and the y output, by name or by having two bins for each pixel of the input."""
    named = {spec.name: spec for spec in header.outputs}
    if {"simcc_x", "simcc_y"} <= set(named):
        return named["simcc_x"], named["simcc_y"]
    width, height = size
    if len(header.outputs) not in (2, 3) or height is None or width is None:
        return None
    x, y, *z = header.outputs
    ends = [spec.shape[-1] if len(spec.shape) == 3 else None for spec in (x, y, *z)]
    return (x, y) if ends == [2 * width, 2 * height, *(2 * width for _ in z)] else None


def _pose_card(
    path: Path, lines: tuple[TensorSpec, TensorSpec], file: ModelFile, architecture: str
) -> ModelCard:
    x, y = (spec.shape for spec in lines)
    if len(x) != 3 or len(y) != 3 or x[1] is None or x[2] is None or y[2] is None:
        raise ModelError(f"{path} does not tell its keypoint count: write {path.stem}.card.yaml")
    return card_for_pose(
        path.stem, file, size=(x[2] // 2, y[2] // 2), keypoints=x[1], architecture=architecture
    )


def _classes(header: OnnxHeader) -> int:
    for spec in header.outputs:
        if spec.name == "scores" and len(spec.shape) == 3:
            return spec.shape[2] or 1
    return 1
