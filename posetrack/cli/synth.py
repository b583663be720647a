"""`posetrack synth`: clips of drawn people with the exact truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def synth(
    scenes: Annotated[
        list[str] | None, typer.Argument(help="Which; all if none is named.", show_default=False)
    ] = None,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", help="Where to write.")
    ] = Path(),
    seed: Annotated[int, typer.Option("--seed", help="Other clothes, builds and ways.", min=0)] = 0,
    list_: Annotated[bool, typer.Option("--list", help="Tell which scenes there are.")] = False,
) -> None:
    """Draw scenes that trackers lose people in: SCENE.mp4, its truth as .json and MOT .txt."""
    from posetrack.synth import SCENES, make_scene, write_scene

    if list_:
        for name, scene in SCENES.items():
            typer.echo(f"{name:10} {(scene.__doc__ or '').strip()}")
        return
    chosen = scenes or list(SCENES)
    for name in chosen:
        make_scene(name)  # a misspelt one before minutes are spent
    for name in chosen:
        typer.echo(f"posetrack: drawing {name}", err=True)
        for path in write_scene(name, output_dir, seed=seed):
            typer.echo(f"wrote {path}")
