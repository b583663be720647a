"""`posetrack devices`: the cameras of this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the cameras of this machine, by what `posetrack webcam` takes, and their formats."""
    from posetrack.media.live.cameras import list_cameras

    cameras = list_cameras()
    if as_json:
        typer.echo(json.dumps([asdict(camera) for camera in cameras], indent=2))
        return
    if not cameras:
        typer.echo("no camera found: plug one in, or give `posetrack webcam` an address", err=True)
    for camera in cameras:
        typer.echo(f"{camera.spec}  {camera.name}")
        for mode in camera.modes:
            sizes = ", ".join(f"{width}x{height}" for width, height in mode.sizes)
            typer.echo(f"    {mode.format}: {sizes}")
