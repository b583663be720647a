"""MMDeploy's model folders (``end2end.onnx`` with its json files) read as cards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from posetrack.cards import Codec, Input, ModelCard, Thresholds
from posetrack.errors import ModelError
from posetrack.zoo.conventions import card_for_onnx, clean_name

GRAPH = "end2end.onnx"


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """What pipeline.json says: transforms before the network, decoding after it."""

    transforms: dict[str, dict[str, Any]]
    component: str
    params: dict[str, Any]


def find_sdk_folder(folder: Path) -> Path | None:
    """The folder with the graph: `folder` itself or, as in the published zips, one inside it."""
    found = sorted(folder.rglob(GRAPH), key=lambda path: len(path.parts))
    return found[0].parent if found else None


def card_for_sdk(folder: Path, *, name: str | None = None) -> ModelCard:
    """The card of an MMDeploy folder: what its json files say, the rest from the graph.

    Raises:
        ModelError: no graph, a json file that cannot be read, or another decoder than those of
            SimCC and heatmaps.
    """
    graph = folder / GRAPH
    if not graph.is_file():
        raise ModelError(f"{folder} has no {GRAPH}: it is not an MMDeploy model folder")
    card = card_for_onnx(graph)
    changes: dict[str, Any] = {"name": clean_name(name or folder.name), "source": "MMDeploy"}
    changes["notes"] = "read from an MMDeploy folder"
    pipeline_file = folder / "pipeline.json"
    if pipeline_file.is_file():
        pipeline = _read_pipeline(pipeline_file)
        try:
            changes |= _from_pipeline(card, pipeline, pipeline_file)
        except (ValidationError, ValueError, TypeError, KeyError) as error:
            text = " ".join(str(error).split())[:200]
            raise ModelError(f"{pipeline_file} is not understood ({text})") from error
    return card.model_copy(update=changes)


def _read_pipeline(path: Path) -> _Pipeline:
    try:
        content = json.loads(path.read_text("utf-8"))
        tasks = content["pipeline"]["tasks"]
        transforms, component, params = {}, "", {}
        for task in tasks:
            for transform in task.get("transforms", ()):
                transforms[str(transform["type"])] = transform
            if "component" in task:
                component, params = str(task["component"]), dict(task.get("params") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not a pipeline of MMDeploy: {error}") from error
    return _Pipeline(transforms, component, params)


def _from_pipeline(card: ModelCard, pipeline: _Pipeline, path: Path) -> dict[str, Any]:
    changes: dict[str, Any] = {"input": _input(card, pipeline)}
    if card.task == "pose":
        simcc = pipeline.component in ("", "SimCCLabelDecode")
        if not simcc and "Heatmap" not in pipeline.component:
            raise ModelError(
                f"{path}: decoder {pipeline.component} is not supported, only SimCC and heatmaps"
            )
        if pipeline.params.get("export_postprocess"):
            raise ModelError(f"{path}: the graph decodes by itself: export it without")
        changes["codec"] = _codec(pipeline) if simcc else _heatmap_codec(card.codec, pipeline)
    else:
        nms = (pipeline.params.get("nms") or {}).get("iou_threshold")
        if nms is not None:
            changes["thresholds"] = Thresholds(nms=float(nms))
    return changes


def _input(card: ModelCard, pipeline: _Pipeline) -> Input:
    values: dict[str, Any] = {}
    normalize = pipeline.transforms.get("Normalize")
    if normalize is not None:
        values["mean"] = tuple(map(float, normalize["mean"]))
        values["std"] = tuple(map(float, normalize["std"]))
        values["color"] = "rgb" if normalize.get("to_rgb", True) else "bgr"
    size = next(iter(_sizes(card, pipeline)), None)
    if size is not None:
        values["size"] = size
    pad = pipeline.transforms.get("Pad", {}).get("pad_val", card.input.pad)
    pad = pad.get("img", card.input.pad) if isinstance(pad, dict) else pad
    values["pad"] = int(pad[0] if isinstance(pad, list) else pad)
    return Input(**(card.input.model_dump() | values))


def _sizes(card: ModelCard, pipeline: _Pipeline) -> Iterator[tuple[int, int]]:
    """Known (width, height), the most trustworthy first.

    Of a pose model only the decoder's counts: published folders exist whose TopDownAffine says
    another size than their graph has.
    """
    places = [pipeline.params.get("input_size")]
    if card.task == "detection":
        places = [
            pipeline.transforms.get(transform, {}).get(key)
            for transform, key in (("Pad", "size"), ("Resize", "size"), ("Resize", "scale"))
        ]
    for value in places:
        if isinstance(value, list) and len(value) == 2 and min(value) > 0:
            yield int(value[0]), int(value[1])


def _codec(pipeline: _Pipeline) -> Codec:
    split = pipeline.params.get("simcc_split_ratio", 2.0)
    box = pipeline.transforms.get("TopDownGetBboxCenterScale", {})
    return Codec(split=float(split), padding=float(box.get("padding", 1.25)))


def _heatmap_codec(graphs: Codec, pipeline: _Pipeline) -> Codec:
    """What the graph tells, with the crop's padding and whether it was cut as UDP has it."""
    box = pipeline.transforms.get("TopDownGetBboxCenterScale", {})
    affine = pipeline.transforms.get("TopDownAffine", {})
    udp = pipeline.params.get("use_udp", affine.get("use_udp", False))
    known = graphs.model_dump() | {"kind": "heatmap", "udp": bool(udp)}
    return Codec(**known | {"padding": float(box.get("padding", 1.25))})
