"""`posetrack train`: a recipe in, a folder with checkpoints, metrics and a plot out."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from posetrack.errors import BackendMissing

app = typer.Typer(add_completion=False)


@app.command(context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as configs/train/*.yaml.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; runs/<recipe name> by default.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting: schedule.epochs=10.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option("--init", help="Start from these weights: a name, a file or an address."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the folder's last checkpoint stands.")
    ] = False,
) -> None:
    """Train a detector or a pose model from a recipe; see docs/training.md."""
    require_torch("training")
    from posetrack.training.run import train as run_training

    settings = list(set_ or ())
    if init is not None:
        settings.append(f"model.init={init}")
    folder = run_training(recipe, settings, resume=resume, folder=output)
    if os.environ.get("RANK", "0") == "0":  # of the processes of torchrun
        typer.echo(f"wrote {folder}")


def require_torch(what: str) -> None:
    """Refuse with one line where the extra `train` is not installed.

    Raises:
        BackendMissing: torch or onnx is not installed.
    """
    for package in ("torch", "onnx"):
        if find_spec(package) is None:
            raise BackendMissing(
                f"{what} needs {package}, which is not installed: pip install posetrack[train]"
            )
