"""A model in, a model folder out: one graph, one precision, one format, compared with the first."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from posetrack.backends import installed, open_backend
from posetrack.cards import ModelCard, ModelFile
from posetrack.errors import BackendMissing, ConfigError
from posetrack.estimator import output_names
from posetrack.export import convert
from posetrack.export.calibration import recorded
from posetrack.export.fold import append_nms, fold_decoding, fold_input
from posetrack.export.graph import require_onnx, simplified
from posetrack.export.half import cast_half
from posetrack.export.int8 import quantise
from posetrack.export.parity import PARTS, Parity, require_parity

if TYPE_CHECKING:
    from posetrack.backends.protocol import Backend
    from posetrack.zoo import ResolvedModel

Target = Literal["onnx", "openvino", "ncnn", "trt"]
Precision = Literal["fp32", "fp16", "int8"]
Fold = Literal["none", "input", "output", "all"]


RUNS_ON = {"onnx": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "trt": "tensorrt"}
"""The backend of each target, which must be there to compare what was made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of a model.

    Attributes:
        target: the file format. ``trt`` is an ONNX graph as TensorRT wants it; its engine is built
            for the GPU at hand and kept in the cache.
        precision: what the graph says to compute in; of OpenVINO and ncnn files in fp16 only the
            weights are: there the device decides, see docs/backends.md.
        fold: put normalisation (``input``) or SimCC decoding (``output``) into the graph.
        nms: put a detector's NMS into the graph, with the thresholds of its card.
        calibrate: for int8, pictures as `calibration.recorded` takes them.
    """

    target: Target = "onnx"
    precision: Precision = "fp32"
    fold: Fold = "none"
    nms: bool = False
    calibrate: Path | None = None

    @property
    def changes(self) -> bool:
        """Whether anything but the name is other than in the model as it is."""
        return self != Plan()

    def check(self, card: ModelCard) -> None:
        """Raises ConfigError where the plan contradicts itself or does not suit the model."""
        if (self.precision == "int8") != (self.calibrate is not None):
            asked = "needs --calibrate DATA" if self.precision == "int8" else "does not calibrate"
            raise ConfigError(f"precision {self.precision} asked, which {asked}")
        if self.target == "ncnn" and (self.precision == "int8" or self.fold != "none" or self.nms):
            raise ConfigError(
                "ncnn files are float graphs: ask for fp32 or fp16, with --fold none and no NMS"
            )
        decoding = self.fold in ("output", "all") and card.task == "pose"
        if decoding and card.codec.kind in ("heatmap", "simcc3d"):
            what = "heatmaps" if card.codec.kind == "heatmap" else "depth"
            raise ConfigError(f"{card.name} has {what}, decoded outside: ask for --fold input")
        if self.nms and card.task != "detection":
            raise ConfigError(f"{card.name} is a {card.task} model, it has no NMS: drop --nms")
        if card.input.folded or card.codec.kind == "decoded":
            raise ConfigError(f"{card.name} is folded already: export the model it was made from")


def export(
    model: ResolvedModel, folder: Path, plan: Plan, *, name: str
) -> tuple[ModelCard, Parity]:
    """Write model and card into `folder`; the card, and how far it is from the model given.

    Raises:
        ConfigError: the plan does not suit the model.
        BackendMissing: a package that this needs is not installed.
        ModelError: the result differs more than its precision may, see `parity.TOLERANCES`.
    """
    require_onnx()
    plan.check(model.card)
    _require_runtime(plan.target)
    with tempfile.TemporaryDirectory() as place:
        stage = Path(place)
        graph, card = _graph(model, plan, stage)
        files = convert.TARGETS[plan.target](graph, stage / "result", card, plan.precision)
        card = card.model_copy(
            update={"name": name, "files": _described(files, plan), **_facts(model.card, plan)}
        )
        parity = _compare(model, card, files[0], plan)
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.move(file, folder / file.name)
    skeleton = Path(card.skeleton or "")
    if skeleton.is_file():
        shutil.copyfile(skeleton, folder / skeleton.name)
        card = card.model_copy(update={"skeleton": skeleton.name})
    (folder / "card.yaml").write_text(card.to_yaml(), "utf-8")
    return card, parity


def _require_runtime(target: Target) -> None:
    for row in installed():
        if row.name == RUNS_ON[target] and not row.runs:
            raise BackendMissing(f"--to {target} needs {row.name}, not installed: {row.hint}")


def _graph(model: ResolvedModel, plan: Plan, stage: Path) -> tuple[Path, ModelCard]:
    """The ONNX file of the plan in `stage`, and the card with what it says of input and output."""
    import onnx

    card = model.card
    graph = simplified(model.path)
    if plan.nms:
        if {value.name for value in graph.graph.output} != {"boxes", "scores"}:
            raise ConfigError(f"{card.name} has no boxes and scores to put NMS behind: drop --nms")
        append_nms(graph, card.thresholds.detection, card.thresholds.nms)
    if plan.fold in ("output", "all") and card.task == "pose":
        lines = _lines(model)
        fold_decoding(graph, lines, split=card.codec.split)
        card = card.model_copy(update={"codec": card.codec.model_copy(update={"kind": "decoded"})})
    if plan.fold in ("input", "all"):
        fold_input(graph, card.input)
        card = card.model_copy(update={"input": card.input.model_copy(update={"folded": True})})
    path = stage / "graph.onnx"
    if plan.precision == "fp16" and plan.target in ("onnx", "trt"):
        cast_half(graph)
    onnx.save(graph, path)
    if plan.precision == "int8":
        assert plan.calibrate is not None  # `Plan.check`
        backend = open_backend("onnxruntime", path)
        fed = recorded(card, backend, plan.calibrate)
        backend.close()
        quantise(graph, fed, path, symmetric=plan.target == "trt")
    return path, card


def _lines(model: ResolvedModel) -> list[str]:
    backend = open_backend("onnxruntime", model.path)
    names = output_names(model.card, model.card.decoder(), backend)
    backend.close()
    return names


def _described(files: list[Path], plan: Plan) -> tuple[ModelFile, ...]:
    """The files as the card lists them: the one a runtime is given first."""
    rows = []
    for index, file in enumerate(files):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        facts: dict[str, Any] = {"path": file.name, "sha256": digest, "bytes": file.stat().st_size}
        kind: Any = "onnx" if plan.target == "trt" else plan.target
        kind = "weights" if index else kind
        rows.append(ModelFile(format=kind, precision=plan.precision, **facts))
    return tuple(rows)


def _facts(card: ModelCard, plan: Plan) -> Mapping[str, Any]:
    """What is true of the exported model but of no other; figures hold for what they measured."""
    how = [f"{plan.target}, {plan.precision}"]
    if plan.calibrate is not None:
        how.append(f"calibrated on {plan.calibrate.name}")
    note = f"Exported from {card.name} ({'; '.join(how)})."
    facts: dict[str, Any] = {"notes": f"{card.notes.strip()} {note}".strip()}
    if plan.precision != "fp32" or plan.nms:  # AP counts what NMS inside no longer gives
        facts["accuracy"] = ()
    return facts


def _compare(model: ResolvedModel, card: ModelCard, file: Path, plan: Plan) -> Parity:
    part = PARTS[card.task]
    reference = part(model.card, open_backend("onnxruntime", model.path, threads=1))
    converted = part(card, _open(plan, file))
    try:
        return require_parity(card.name, reference, converted, plan.precision)
    finally:
        reference.close()
        converted.close()


def _open(plan: Plan, file: Path) -> Backend:
    """The result, loaded; what OpenVINO and ncnn compute in is theirs to choose, here fp32."""
    stated = plan.target in ("onnx", "trt")
    return open_backend(
        RUNS_ON[plan.target],
        file,
        device="cuda" if plan.target == "trt" else "cpu",
        threads=1,
        precision=plan.precision if stated else "fp32",
    )
