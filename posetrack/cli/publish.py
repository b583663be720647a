"""`posetrack publish`: a training's checkpoint in, one to hand on out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posetrack.cli.train import require_torch
from posetrack.errors import ModelNotFound

app = typer.Typer(add_completion=False)


@app.command(context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
def publish(
    checkpoint: Annotated[Path, typer.Argument(help="A .pth of `posetrack train`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder it goes to.")] = Path(),
    name: Annotated[
        str | None, typer.Option("--name", help="What it is called; the recipe's name by default.")
    ] = None,
) -> None:
    """Strip a checkpoint to its weights and put their digest in its name."""
    require_torch("publish")
    if not checkpoint.is_file():
        raise ModelNotFound(f"checkpoint {checkpoint} not found: check the path")
    from posetrack.training.publish import publish as write

    path = write(checkpoint, output, name=name)
    before, after = (file.stat().st_size / 1e6 for file in (checkpoint, path))
    typer.echo(f"wrote {path}: {after:.1f} MB of {before:.1f} MB")
