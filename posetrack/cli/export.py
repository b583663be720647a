"""`posetrack export`: a checkpoint in, a model folder that `--det` and `--pose` take out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posetrack.cli.train import require_torch
from posetrack.errors import ModelNotFound

app = typer.Typer(add_completion=False)


@app.command(context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A .pth of `posetrack train`, or official.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model and card.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name; the folder's by default.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store the weights in 16 bits: half the file.")
    ] = False,
) -> None:
    """Write model.onnx, checked against PyTorch, and its card.yaml."""
    require_torch("export")
    if not checkpoint.is_file():
        raise ModelNotFound(f"checkpoint {checkpoint} not found: check the path")
    from posetrack.training.export import export_model

    card = export_model(checkpoint, output, name=name or output.resolve().name, half_weights=half)
    typer.echo(f"wrote {output}: {card.name}, {card.task}, {card.architecture}")
