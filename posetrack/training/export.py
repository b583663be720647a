"""Networks to ONNX, checked against PyTorch, and a checkpoint to a model folder with its card."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from posetrack.backends import open_backend
from posetrack.cards import ModelCard, ModelFile
from posetrack.errors import ModelError
from posetrack.export.fold import append_nms
from posetrack.export.graph import OPSET
from posetrack.networks.checkpoint import HALF_SUFFIX, Spec, read_checkpoint
from posetrack.networks.heatmap import HeatmapPose
from posetrack.networks.rtmdet import RTMDet
from posetrack.networks.rtmw import RTMW
from posetrack.skeletons import SKELETON_FILES, load_skeleton
from posetrack.zoo.conventions import card_for_detector, card_for_pose

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-4
"""Largest difference from PyTorch, as a share of the largest output."""
HALF_TOLERANCE = 2e-2
"""The same where weights are stored in 16 bits."""


class _Predictor(nn.Module):
    """A detector whose output is decoded boxes and scores."""

    def __init__(self, network: RTMDet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.predict(images)


def export_onnx(
    network: nn.Module,
    path: Path,
    *,
    input_size: tuple[int, int],
    half_weights: bool = False,
    nms: tuple[float, float] | None = None,
) -> float:
    """Write `network` as ONNX (opset 17, dynamic batch) and return its distance from PyTorch.

    A pose network gives ``simcc_x`` and ``simcc_y`` (and ``simcc_z``), or ``heatmaps``, a detector
    ``boxes`` and ``scores`` before NMS, or ``dets`` and ``labels`` where `nms` puts it inside.

    Args:
        input_size: (width, height).
        half_weights: store large weights in 16 bits; they are computed with in 32.
        nms: (score threshold, IoU threshold).

    Raises:
        ModelError: the graph's answers differ from the network's.
    """
    import onnx

    detector = isinstance(network, RTMDet)
    names = ["boxes", "scores"] if detector else ["simcc_x", "simcc_y"]
    if isinstance(network, HeatmapPose):
        names = ["heatmaps"]
    if isinstance(network, RTMW) and network.depth is not None:
        names.append("simcc_z")
    network.eval()
    model: nn.Module = _Predictor(network) if isinstance(network, RTMDet) else network
    width, height = input_size
    generator = torch.Generator().manual_seed(0)
    example = torch.randn(2, 3, height, width, generator=generator)
    graph = onnx.load_from_string(_trace(model, example, names, free_size=detector))
    if half_weights:
        store_half(graph)
    graph.producer_name = "posetrack"
    with torch.no_grad():
        answer = model(example)
        expected = [t.numpy() for t in ([answer] if isinstance(answer, Tensor) else answer)]
    if not detector:
        _fix_shapes(graph, expected)
    distance = _distance(graph.SerializeToString(), example.numpy(), names, expected)
    limit = HALF_TOLERANCE if half_weights else TOLERANCE
    if not distance <= limit:
        raise ModelError(
            f"the exported graph differs from PyTorch by {distance:.1e} of its largest value, "
            f"at most {limit:.0e} is allowed: report this with the checkpoint"
        )
    if nms is not None:
        append_nms(graph, *nms)
    path.write_bytes(graph.SerializeToString())
    return distance


def _trace(model: nn.Module, example: Tensor, names: list[str], *, free_size: bool) -> bytes:
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in names}
    axes["input"] = {0: "batch"}
    if free_size:
        axes["input"] |= {2: "height", 3: "width"}
        for name in names:
            axes[name][1] = "priors"
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants that are meant as such
        torch.onnx.export(
            model,
            (example,),
            buffer,  # type: ignore[arg-type]
            input_names=["input"],
            output_names=names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            # Weights keep their names and batch norms their own: runtimes fold both when they
            # load, and the file can be trained on (`networks.checkpoint.read_checkpoint`).
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    return buffer.getvalue()


def _fix_shapes(graph: onnx.ModelProto, outputs: list[Any]) -> None:
    """Write down every side of the outputs but the batch, which the tracer leaves open, in place.

    A bare file then tells how many keypoints it gives.
    """
    for output, values in zip(graph.graph.output, outputs, strict=True):
        sides = output.type.tensor_type.shape.dim
        for side, length in zip(sides[1:], values.shape[1:], strict=True):
            side.dim_value = length


def _distance(graph: bytes, example: Any, names: list[str], expected: list[Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        path.write_bytes(graph)
        backend = open_backend("onnxruntime", path)
        outputs = backend.run({"input": example})
        backend.close()
    pairs = zip([outputs[name] for name in names], expected, strict=True)
    gaps = (np.abs(a - b).max() / max(np.abs(b).max(), np.ptp(b), 1e-6) for a, b in pairs)
    return float(max(gaps))


def store_half(model: onnx.ModelProto, *, smallest: int = 256) -> None:
    """Replace float32 matrices of at least `smallest` values by 16-bit ones and a cast, in place.

    Runtimes fold the cast when they load the graph, so the file halves and nothing gets slower.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        large = len(weight.dims) > 1 and int(np.prod(weight.dims)) >= smallest
        if weight.data_type != TensorProto.FLOAT or not large:
            continue
        name = weight.name
        half = numpy_helper.from_array(
            numpy_helper.to_array(weight).astype(np.float16), f"{name}{HALF_SUFFIX}"
        )
        weight.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def export_model(
    checkpoint: Path, folder: Path, *, name: str, half_weights: bool = False, **facts: Any
) -> ModelCard:
    """A model folder (``model.onnx`` and ``card.yaml``) from a checkpoint; its card.

    What the weights do not tell, a detector's input size and a pose model's skeleton, is that of
    the recipe in the checkpoint, where there is one, or what published models have.

    Args:
        facts: further fields of the card (licence, accuracy, thresholds, ...), or `size`.
    """
    weights = read_checkpoint(checkpoint)
    network, spec = weights.model(), weights.spec
    trained, known = weights.recipe.get("model", {}), dict(weights.content.get("facts", {}))
    if len(labels := known.get("labels", ())) > 1 and "person" in labels:
        known["keep"] = ("person",)
    if labels:
        known["labels"] = tuple(labels)
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / "model.onnx"
    size = tuple(facts.pop("size", spec.input_size))
    export_onnx(network, graph, input_size=size, half_weights=half_weights)
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    file = ModelFile(format="onnx", path=graph.name, sha256=digest, bytes=graph.stat().st_size)
    if spec.num_keypoints is not None and "skeleton" in trained:
        facts.setdefault("skeleton", _own_skeleton(trained["skeleton"], folder))
    card = _card(name, file, spec, size, facts.get("skeleton"))
    if weights.recipe:  # trained here, where the loss brings every model's scores to [0, 1]
        facts.setdefault("score_scale", 1.0)
    sigma = trained.get("sigma")
    if card.codec.kind == "heatmap" and sigma is not None:
        facts.setdefault("codec", card.codec.model_copy(update={"sigma": float(sigma[0])}))
    parameters = sum(p.numel() for p in network.parameters())
    fields = dict(card) | {"notes": "", "parameters": parameters} | known | facts
    card = ModelCard.model_validate(fields)
    (folder / "card.yaml").write_text(card.to_yaml(), "utf-8")
    return card


def _card(
    name: str, file: ModelFile, spec: Spec, size: tuple[int, int], skeleton: str | None
) -> ModelCard:
    if spec.num_keypoints is None:
        return card_for_detector(
            name, file, size=size, classes=spec.num_classes or 1, architecture=spec.architecture
        )
    return card_for_pose(
        name,
        file,
        size=size,
        keypoints=spec.num_keypoints,
        architecture=spec.architecture,
        skeleton=skeleton,
    )


def _own_skeleton(name: str, folder: Path) -> str:
    """The recipe's skeleton as the card names it: a file of the user's is copied beside it."""
    if Path(name).suffix not in SKELETON_FILES:
        return name
    load_skeleton(name)  # a bad or missing file is told here
    copy = folder / Path(name).name
    if not (copy.exists() and copy.samefile(name)):
        shutil.copyfile(name, copy)
    return copy.name
