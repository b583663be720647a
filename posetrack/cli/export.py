"""`posetrack export`: a checkpoint or a model in, a folder that `--det` and `--pose` take out."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posetrack.cli.train import require_torch
from posetrack.errors import ConfigError, ModelNotFound

if TYPE_CHECKING:
    from posetrack.export.job import Plan

app = typer.Typer(add_completion=False)

CHECKPOINTS = (".pth", ".pt", ".ckpt")


class To(StrEnum):
    """File formats."""

    onnx = "onnx"
    openvino = "openvino"
    ncnn = "ncnn"
    trt = "trt"


class Precision(StrEnum):
    """What to compute in."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


class Fold(StrEnum):
    """What of the work around the network goes into it."""

    none = "none"
    input = "input"
    output = "output"
    all = "all"


@app.command(context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
def export(
    model: Annotated[
        str, typer.Argument(help="A .pth of `posetrack train`, or any model that --pose takes.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model and card.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name; the folder's by default.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Of a checkpoint: weights in 16 bits, half the file.")
    ] = False,
    to: Annotated[To, typer.Option("--to", help="File format.")] = To.onnx,
    precision: Annotated[
        Precision, typer.Option("--precision", help="What the graph computes in.")
    ] = Precision.fp32,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", help="For int8: COCO annotations, pictures or a video."),
    ] = None,
    fold: Annotated[
        Fold, typer.Option("--fold", help="Normalisation, decoding or both into the graph.")
    ] = Fold.none,
    nms: Annotated[
        bool, typer.Option("--nms/--no-nms", help="A detector's NMS into the graph.")
    ] = False,
) -> None:
    """Write a model folder, checked against what it was made from; see docs/backends.md."""
    from posetrack.export.job import Plan

    name = name or output.resolve().name
    chosen: dict[str, Any] = {"target": to.value, "precision": precision.value, "fold": fold.value}
    plan = Plan(**chosen, nms=nms, calibrate=calibrate)
    path = Path(model).expanduser()
    if path.suffix not in CHECKPOINTS:
        if half:
            raise ConfigError(f"--half is for checkpoints, {model} is a model: drop it")
        _export(model, output, plan, name)
        return
    require_torch("export")
    if not path.is_file():
        raise ModelNotFound(f"checkpoint {path} not found: check the path")
    from posetrack.training.export import export_model

    if not plan.changes:
        card = export_model(path, output, name=name, half_weights=half)
        typer.echo(f"wrote {output}: {card.name}, {card.task}, {card.architecture}")
        return
    with tempfile.TemporaryDirectory() as folder:
        export_model(path, Path(folder), name=name, half_weights=half)
        _export(folder, output, plan, name)


def _export(model: str, output: Path, plan: Plan, name: str) -> None:
    from posetrack import zoo
    from posetrack.export.job import export as make

    card, parity = make(zoo.find(model), output, plan, name=name)
    typer.echo(f"wrote {output}: {card.name}, {card.task}, {plan.target} {plan.precision}")
    typer.echo(f"from the model it was made of: {parity}")
